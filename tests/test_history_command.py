"""``overheard history``: sessions of a real file, listed and shown, and what is wrong in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from realtime import messages
from realtime.clock import SystemClock
from realtime.history import Recorder
from realtime.history_command import open_history, read_session
from realtime.history_file import Store
from tests.fakes.clock import UNIX_OFFSET, VirtualClock
from tests.histories import damage_the_header, damage_the_middle, estimate, state

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "overheard" / "history.sqlite"


@pytest.fixture
def recorded(path: Path) -> Path:
    """Three sessions: one that ended, one that was broken off, one that runs."""
    clock = VirtualClock()
    for offset, source, over in ((0, "radio", True), (90_000, "mic\x1b[2J", False)):
        recorder = Recorder(Store(path, "net", "1.2"), clock)
        given = [state(0, "WARMING_UP"), *(estimate(5 + n / 2) for n in range(19))]
        given += [estimate(14.5, "rock"), estimate(15, "rock"), estimate(15.5, "rock", "NOT_MUSIC")]
        given += [messages.title_message("radio", 1_015.6, "T\x1b[2J")]
        for message in given:
            captured_at = UNIX_OFFSET + offset + message["captured_at"] - 1_000
            recorder.take(message | {"source": source, "captured_at": captured_at})
        clock.now = 100.0 + offset
        recorder.close() if over else recorder.flush()
        recorder._store.close()
    running = Recorder(Store(path, "net", "1.2"), SystemClock())
    running.take(estimate(0) | {"captured_at": time.time()})
    running.flush()
    running._store.close()
    return path


def overheard(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, by its function: the entry point is tested with the others."""
    script = (
        "import sys\nfrom models.errors import OverheardError\nfrom realtime.history_command import command\n"
        "try: sys.exit(command(sys.argv[1:]))\n"
        "except OverheardError as error: print(error, file=sys.stderr); sys.exit(2)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"TZ": "UTC"} | environment,
        check=False,
    )


def test_the_command_lists_sessions(recorded: Path) -> None:
    done = overheard("--file", str(recorded))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    heard = "jazz 0:00:14, rock 0:00:01, not music 0:00:00"
    assert lines[0] == f"    1  2023-11-14 22:13:20    0:00:16  radio  {heard}"
    assert lines[1].startswith("    2  2023-11-15 23:13:20    0:01:40 (broken off)  mic?[2J  jazz 0:00:14")
    assert "(running)" in lines[2]


def test_the_command_speaks_json_one_object_a_line(recorded: Path) -> None:
    done = overheard("--json", OVERHEARD_HISTORY=str(recorded))
    sessions = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["id"], each["running"], each["broken_off"]) for each in sessions] == [
        (1, False, False),
        (2, False, True),
        (3, True, False),
    ]
    assert sessions[0]["seconds"] == {"jazz": 14.0, "rock": 1.0, "NOT_MUSIC": 0.5}
    assert (sessions[0]["started"], sessions[0]["ended"]) == (UNIX_OFFSET, UNIX_OFFSET + 15.6)


def test_the_command_shows_one_session_with_times_and_totals(recorded: Path) -> None:
    done = overheard("--file", str(recorded), "--session", "1")
    assert done.stdout.splitlines() == [
        "session 1: radio",
        "2023-11-14 22:13:20 to 2023-11-14 22:13:35",
        "model net 1.2",
        "",
        "2023-11-14 22:13:20    0:00:14  jazz  80%",
        "2023-11-14 22:13:20             [warming up]",
        "2023-11-14 22:13:34    0:00:01  rock  80%",
        "2023-11-14 22:13:35    0:00:00  not music",
        "2023-11-14 22:13:35             [title: T?[2J]",
        "",
        "in total",
        "  0:00:14   90%  jazz",
        "  0:00:01    6%  rock",
        "  0:00:00    3%  not music",
    ]
    done = overheard("--file", str(recorded), "--session", "1", "--json")
    session = json.loads(done.stdout)
    assert [segment["genre"] for segment in session["segments"]] == ["jazz", "rock", None]
    assert [event["kind"] for event in session["events"]] == ["warming_up", "title"]


def test_the_command_keeps_to_a_date(recorded: Path) -> None:
    def since(date: str) -> list[int]:
        done = overheard("--file", str(recorded), "--json", "--since", date)
        return [json.loads(line)["id"] for line in done.stdout.splitlines()]

    assert since("2023-11-14") == [1, 2, 3]
    assert since("2023-11-15") == since("2023-11-15T23:14:00") == [2, 3]
    assert since("2023-11-15T23:16:00+00:00") == [3]
    assert overheard("--file", str(recorded), "--since", "2999-01-01").stdout.startswith("no such session")


def test_the_command_explains_what_is_wrong_in_one_sentence(recorded: Path, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = overheard(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        return done.stderr.strip()

    missing = tmp_path / "none.sqlite"
    assert refused("--file", str(missing)).startswith(
        f"there is no history at {missing}; it is written while"
    )
    assert not missing.exists()
    missing.touch()  # one that is just being made
    assert refused("--file", str(missing)).startswith(
        f"there is no history at {missing}; it is written while"
    )
    at = ("--file", str(recorded))
    assert refused(*at, "--session", "9") == "no session 9; there are 3, the last is 3"
    assert refused(*at, "--since", "soon").startswith("--since is 'soon'; it must be a date such as")
    damage_the_header(missing)
    assert refused("--file", str(missing)) == f"cannot read the history {missing}: file is not a database"
    damage_the_middle(recorded)
    assert (
        refused(*at, "--session", "1")
        == f"cannot read the history {recorded}: database disk image is malformed"
    )
    assert refused("--file", str(tmp_path)) == f"cannot read the history {tmp_path}: Is a directory"


def test_reading_changes_nothing_and_works_where_nothing_may_be_written(recorded: Path) -> None:
    content = recorded.read_bytes()
    with closing(open_history(recorded)) as connection:
        session = read_session(connection, 1, time.time())
    assert session["source"] == "radio"
    assert recorded.read_bytes() == content
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom realtime.history_command import *\n"
        "if os.geteuid() == 0: os.seteuid(65_534)\n"
        "print(len(read_sessions(open_history(Path(sys.argv[1])), 0, 0)))"
    )
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))
    try:
        copy = folder / "history.sqlite"
        copy.write_bytes(content)
        copy.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", script, str(copy)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert (done.stdout, done.stderr) == ("3\n", "")
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
