"""Real files: permissions, several writers, crashes, damage and files of other programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from realtime.history.errors import HistoryError
from realtime.history.queries import open_history, read_sessions
from realtime.history.recorder import HistoryRecorder
from realtime.history.schema import APPLICATION_ID, VERSION
from realtime.history.store import HistoryStore
from tests.support.clock import VirtualClock
from tests.support.histories import (
    damage_header,
    damage_middle,
    estimate,
    get_clock,
    query,
    start_child,
)
from tests.support.waiting import wait_until


def count_estimates(path: Path) -> int:
    """Count the estimates in the file, 0 while the file is being created."""
    try:
        with closing(open_history(path)) as connection:
            return int(connection.execute("SELECT total(estimates) FROM segments").fetchone()[0])
    except HistoryError:
        return 0


def test_file_and_folder_are_for_this_user_only(path: Path, recorder: HistoryRecorder) -> None:
    previous = os.umask(0)
    try:
        recorder.add(estimate(5))
        recorder.flush()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    beside = sorted(each.name for each in path.parent.iterdir())
    assert beside == ["history.sqlite", "history.sqlite-shm", "history.sqlite-wal"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_source_whose_name_is_not_valid_utf_8_is_recorded(path: Path, recorder: HistoryRecorder) -> None:
    """SQLite refused the name of a file that is not valid UTF-8, and with it all other rows."""
    recorder.add(estimate(5, source="caf\udce9.mp3"))
    recorder.flush()
    assert query(path, "SELECT source FROM sessions") == [(r"caf\udce9.mp3",)]


def test_sigkill_loses_only_rows_that_were_not_flushed(path: Path) -> None:
    process = start_child(
        """
history = HistoryWriter(Path(sys.argv[1]), SystemClock(), flush_seconds=0.05)
for n in range(10):
    history.consume(estimate(5 + n / 2))
print("published", flush=True)
sys.stdin.read()
""",
        str(path),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "published\n"
        wait_until(lambda: count_estimates(path) == 10)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    with closing(open_history(path)) as connection:
        (session,) = read_sessions(connection, 0, time.time() + 60)
        assert (session["ended"], session["broken_off"], session["running"]) == (None, True, False)
        assert session["seconds"] == {"jazz": 9.5}
        (session,) = read_sessions(connection, 0, session["last_seen_at"] + 1)
        assert (session["broken_off"], session["running"]) == (False, True)
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_two_programs_with_several_sources_write_one_file(path: Path) -> None:
    script = """
history = HistoryWriter(Path(sys.argv[1]), SystemClock(), flush_seconds=0.01)
sys.stdin.readline()  # both programs write at the same time
for n in range(200):
    for source in ("a", "b", "c"):
        history.consume(estimate(5 + n / 2, ("jazz", "rock")[n % 2], source=source))
    threading.Event().wait(0.002)
history.close()
print(json.dumps([history.dropped, history.lost]))
"""
    processes = [start_child(script, str(path)) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, error = process.communicate(timeout=60)
        assert (json.loads(output), error) == ([0, 0], "")
    found = query(path, "SELECT source, count(*) FROM sessions WHERE ended = 1104.5 GROUP BY source")
    assert found == [("a", 2), ("b", 2), ("c", 2)]
    assert query(path, "SELECT DISTINCT session, count(*) FROM segments GROUP BY session") == [
        (number, 200) for number in range(1, 7)
    ]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("damage", [damage_header, damage_middle, cut_off])
def test_a_damaged_file_is_renamed_and_a_new_one_started(
    path: Path, recorder: HistoryRecorder, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # twice within a second: the second file must not replace the first
        before = HistoryRecorder(HistoryStore(path), VirtualClock())
        before.add(estimate(5))
        before.close()
        damage(path)
        damaged = path.read_bytes()
        after = HistoryRecorder(HistoryStore(path), VirtualClock())
        after.add(estimate(5, "rock"))
        after.flush()
        after.close()
        assert query(path, "SELECT genre FROM segments") == [("rock",)]
        kept = [each for each in path.parent.iterdir() if ".damaged-" in each.name]
        assert damaged in [each.read_bytes() for each in kept]
        assert f"the history {path} is damaged" in caplog.messages[-1]
        assert any(each.name in caplog.messages[-1] for each in kept)
        path.unlink()
    assert len(kept) == 2
    assert after.lost == 0


def test_a_deleted_folder_is_created_again_with_the_session(
    path: Path, recorder: HistoryRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite would go on writing to the deleted file."""
    recorder.add(estimate(5))
    recorder.flush()
    shutil.rmtree(path.parent)
    recorder.add(estimate(5.5))
    recorder.flush()
    assert caplog.messages == [f"the history {path} was moved or deleted; a new history is created"]
    assert query(path, "SELECT source, ended FROM sessions") == [("radio", None)]
    assert query(path, "SELECT estimates FROM segments") == [(2,)]


@pytest.mark.parametrize(
    ("pragmas", "sentence"),
    [
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION + 1}",
            f"the history {{}} has version {VERSION + 1}, and this program supports versions up to "
            f"{VERSION}; update Overheard or name another file",
        ),
        ("PRAGMA user_version = 1", "{} is a database of another program; name another file for the history"),
    ],
)
def test_a_file_of_another_program_or_a_newer_version_is_refused_and_not_changed(
    path: Path, recorder: HistoryRecorder, pragmas: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {pragmas}; CREATE TABLE theirs (x)")
    content, changed = path.read_bytes(), path.stat().st_mtime_ns
    for n in range(3):
        get_clock(recorder).now += 100
        recorder.add(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
        recorder.flush()
    assert caplog.messages == [sentence.format(path) + "; the history is not recorded"]
    assert recorder.lost == 2
    with pytest.raises(HistoryError) as refusal:
        open_history(path)
    assert str(refusal.value) == sentence.format(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, changed)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_newer_version_that_is_still_in_the_log_is_refused_too(
    path: Path, recorder: HistoryRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.add(estimate(5))
    recorder.close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        again = HistoryRecorder(HistoryStore(path), VirtualClock())
        again.add(estimate(5))
        again.flush()
    assert f"has version {VERSION + 1}" in caplog.messages[0]
