"""``overheard history`` on real files, and its error messages."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from realtime.clock import SystemClock
from realtime.history.queries import open_history, read_session
from realtime.history.recorder import HistoryRecorder
from realtime.history.store import HistoryStore
from realtime.protocol.builders import title_message
from realtime.protocol.messages import Message
from tests.support.cli import run_command, run_main
from tests.support.clock import UNIX_OFFSET, VirtualClock
from tests.support.histories import damage_header, damage_middle, estimate, state, write_history
from tests.support.paths import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "overheard" / "history.sqlite"


@pytest.fixture
def recorded(path: Path) -> Path:
    """Write a history of three sessions: one that ended, one that was cut off, and one that runs."""
    clock = VirtualClock()
    for offset, source, over in ((0, "radio", True), (90_000, "mic\x1b[2J", False)):
        recorder = HistoryRecorder(HistoryStore(path, "net", "1.2"), clock)
        given: list[Message] = [state(0, "WARMING_UP"), *(estimate(5 + n / 2) for n in range(19))]
        given += [estimate(14.5, "rock"), estimate(15, "rock"), estimate(15.5, "rock", "NOT_MUSIC")]
        given += [title_message("radio", 1_015.6, "T\x1b[2J")]
        for message in given:
            captured_at = UNIX_OFFSET + offset + message.captured_at - 1_000
            recorder.add(replace(message, source=source, captured_at=captured_at))
        clock.now = 100.0 + offset
        recorder.close() if over else recorder.flush()
        recorder.store.close()
    running = HistoryRecorder(HistoryStore(path, "net", "1.2"), SystemClock())
    running.add(replace(estimate(0), captured_at=time.time()))
    running.flush()
    running.store.close()
    return path


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone to UTC, because the command reads and prints local times."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def run_history(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``overheard history`` in this process, and remove the command's name from its error message."""
    done = run_main("history", *arguments, environment=environment)
    done.stderr = done.stderr.removeprefix("overheard history: ")
    return done


def test_the_command_lists_sessions(recorded: Path) -> None:
    done = run_command("history", "--file", str(recorded))
    assert (done.returncode, done.stderr) == (0, "")
    assert run_history("--file", str(recorded)).stdout == done.stdout
    lines = done.stdout.splitlines()
    totals = "jazz 0:00:14, rock 0:00:01, not music 0:00:00"
    assert lines[0] == f"    1  2023-11-14 22:13:20    0:00:16  radio  {totals}"
    assert lines[1].startswith("    2  2023-11-15 23:13:20    0:01:40 (broken off)  mic?[2J  jazz 0:00:14")
    assert "(running)" in lines[2]


def test_the_command_prints_json_one_object_a_line(recorded: Path) -> None:
    done = run_history("--json", OVERHEARD_HISTORY=str(recorded))
    sessions = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["id"], each["running"], each["broken_off"]) for each in sessions] == [
        (1, False, False),
        (2, False, True),
        (3, True, False),
    ]
    assert sessions[0]["seconds"] == {"jazz": 14.0, "rock": 1.0, "NOT_MUSIC": 0.5}
    assert (sessions[0]["started"], sessions[0]["ended"]) == (UNIX_OFFSET, UNIX_OFFSET + 15.6)


def test_the_command_shows_one_session_with_times_and_totals(recorded: Path) -> None:
    done = run_history("--file", str(recorded), "--session", "1")
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
    done = run_history("--file", str(recorded), "--session", "1", "--json")
    session = json.loads(done.stdout)
    assert [segment["genre"] for segment in session["segments"]] == ["jazz", "rock", None]
    assert [event["kind"] for event in session["events"]] == ["warming_up", "title"]


def test_the_command_lists_sessions_since_a_date(recorded: Path) -> None:
    def since(date: str) -> list[int]:
        done = run_history("--file", str(recorded), "--json", "--since", date)
        return [json.loads(line)["id"] for line in done.stdout.splitlines()]

    assert since("2023-11-14") == [1, 2, 3]
    assert since("2023-11-15") == since("2023-11-15T23:14:00") == [2, 3]
    assert since("2023-11-15T23:16:00+00:00") == [3]
    assert run_history("--file", str(recorded), "--since", "2999-01-01").stdout.startswith("no such session")


def test_the_command_explains_what_is_wrong_in_one_sentence(recorded: Path, tmp_path: Path) -> None:
    def error_of(*arguments: str) -> str:
        done = run_history(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        return done.stderr.strip()

    missing = tmp_path / "none.sqlite"
    assert error_of("--file", str(missing)).startswith(
        f"there is no history at {missing}; `overheard listen`"
    )
    assert not missing.exists()
    missing.touch()  # a file that a program is just creating
    assert error_of("--file", str(missing)).startswith(
        f"there is no history at {missing}; `overheard listen`"
    )
    at = ("--file", str(recorded))
    assert error_of(*at, "--session", "9") == "there is no session 9; the last session is 3"
    assert error_of(*at, "--since", "soon").startswith("--since is 'soon'; it must be a date such as")
    damage_header(missing)
    assert error_of("--file", str(missing)) == f"cannot read the history {missing}: file is not a database"
    damage_middle(recorded)
    assert (
        error_of(*at, "--session", "1")
        == f"cannot read the history {recorded}: database disk image is malformed"
    )
    assert error_of("--file", str(tmp_path)) == f"cannot read the history {tmp_path}: Is a directory"


def test_the_command_prints_sessions_as_a_table(recorded: Path) -> None:
    lines = run_history("--file", str(recorded), "--csv", "--since", "2023-11-15").stdout.splitlines()
    assert lines[0] == (
        "session,source,kind,number,started,ended,seconds,state,genre,confidence,correction,detail,tags"
    )
    assert lines[1].startswith(
        "2,mic [2J,segment,1,2023-11-15T23:13:20.000+00:00,2023-11-15T23:13:34.000+00:00,14.0,"
    )
    assert {line.split(",")[0] for line in lines[1:]} == {"2", "3"}
    one = run_history("--file", str(recorded), "--csv", "--session", "1").stdout.splitlines()
    numbers = [line.split(",")[3] for line in one[1:] if line.split(",")[2] == "segment"]
    assert numbers == ["1", "2", "3"]
    done = run_history("--file", str(recorded), "--csv", "--json")
    assert (done.returncode, "not allowed with" in done.stderr) == (2, True)


def test_the_command_corrects_a_label_and_removes_the_correction(recorded: Path) -> None:
    at = ("--file", str(recorded))
    done = run_history(*at, "--correct", "1/2=blues")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("session 1, segment 2 is now blues; its audio is ")
    assert "rock  80%  (corrected: blues)" in run_history(*at, "--session", "1").stdout
    session = json.loads(run_history(*at, "--session", "1", "--json").stdout)
    assert [(each["number"], each["correction"]) for each in session["segments"]] == [
        (1, None),
        (2, "blues"),
        (3, None),
    ]
    assert (
        run_history(*at, "--correct", "1/3=metal").returncode == 0
    )  # music that was classified as not music
    assert "corrections with audio: 0; without: 2" in run_history(
        *at, "--export-corrections", str(recorded.parent / "set")
    ).stdout  # fmt: skip
    assert "is removed" in run_history(*at, "--correct", "1/2=").stdout
    for words, sentence in (
        ("1/2=", "session 1, segment 2 has no correction to remove"),
        ("1/9=jazz", "session 1 has no segment 9; its segments are 1 to 3"),
        ("9/1=jazz", "there is no session 9; the last session is 3"),
        (
            "1/1=polka",
            "'polka' is not a genre of the model; choose blues, classical, country, disco, hiphop, jazz",
        ),
        ("1=jazz", "--correct is '1=jazz'; it must be SESSION/SEGMENT=GENRE, such as 3/2=jazz"),
    ):
        done = run_history(*at, "--correct", words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith(sentence)
    missing = recorded.with_name("none.sqlite")
    assert run_history("--file", str(missing), "--correct", "1/1=jazz").stderr.startswith(
        "there is no history"
    )
    assert not missing.exists()


def test_the_command_deletes_the_history_only_after_a_confirmation(recorded: Path) -> None:
    at = ("--file", str(recorded))
    run_history(*at, "--correct", "1/2=blues")
    sound = recorded.parent / "corrections" / "blues" / "1-2.wav"
    sound.parent.mkdir(parents=True)
    sound.touch()
    content = recorded.read_bytes()
    done = run_history(*at, "--delete-all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"--delete-all permanently deletes {recorded} (sessions: 3, corrections: 1, clips: 1); "
        "confirm it with --delete-all --yes\n"
    )
    assert run_history(*at, "--yes").stderr == "--yes confirms --delete-all, which is missing\n"
    assert recorded.read_bytes() == content
    done = run_history(*at, "--delete-all", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the history is deleted (saved clips: 1)\n"
    assert [each.name for each in recorded.parent.iterdir()] == [recorded.name]
    assert b"radio" not in recorded.read_bytes()
    assert run_history(*at).stdout == f"no such session in {recorded}\n"
    assert run_history("--file", str(recorded.with_name("none")), "--delete-all", "--yes").stderr.startswith(
        "there is no history at"
    )


def test_the_command_deletes_no_file_that_may_be_something_else(recorded: Path, tmp_path: Path) -> None:
    """A mistyped file name must not delete another file."""
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear all, " * 100)
    done = run_history("--file", str(letter), "--delete-all", "--yes")
    assert done.stderr == (
        f"{letter} is not a history (file is not a database); "
        "if it is a damaged history, delete the file yourself\n"
    )
    assert letter.read_text() == "Dear all, " * 100
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    done = run_history("--file", str(tmp_path / "theirs.db"), "--delete-all", "--yes")
    assert (done.returncode, "is a database of another program" in done.stderr) == (2, True)
    assert (tmp_path / "theirs.db").exists()
    damage_middle(recorded)
    assert run_history("--file", str(recorded), "--delete-all", "--yes").returncode == 0
    assert list(recorded.parent.iterdir()) == []


def test_reading_changes_nothing_and_works_where_nothing_may_be_written(recorded: Path) -> None:
    content = recorded.read_bytes()
    with closing(open_history(recorded)) as connection:
        session = read_session(connection, 1, time.time())
    assert session["source"] == "radio"
    assert recorded.read_bytes() == content
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom realtime.history.queries import *\n"
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


def test_the_command_shows_the_words_of_a_segment(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.sqlite", estimate(5, tags={"soul": 0.9, "calm\x1b": 0.6}))
    assert "jazz  80%  soul, calm?\n" in run_history("--file", str(path), "--session", "1").stdout
    document = json.loads(run_history("--file", str(path), "--session", "1", "--json").stdout)
    assert document["segments"][0]["tags"] == ["soul", "calm\x1b"]
