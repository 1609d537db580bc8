"""The recording thread with real files: full, locked and read-only disks, and counted losses."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from realtime.clock import SystemClock
from realtime.history.recorder import MAX_WAITING_ROWS, HistoryRecorder
from realtime.history.schema import VERSION
from realtime.history.segments import Row
from realtime.history.store import HistoryStore
from realtime.history.writer import MAX_QUEUED_MESSAGES, HistoryWriter
from tests.support.clock import VirtualClock
from tests.support.full_disk import can_mount, small_disk
from tests.support.histories import (
    estimate,
    get_clock,
    health,
    query,
    start_child,
    state,
)
from tests.support.protocol import spectrum_message
from tests.support.waiting import at_most


def test_a_session_is_written_and_read(path: Path) -> None:
    history = HistoryWriter(path, SystemClock(), "net", "1.2", flush_seconds=0.05)
    for message in (
        state(0, "WARMING_UP"),
        estimate(5),
        estimate(5.5),
        estimate(6, "rock"),
        health(6, 1, 100),
    ):
        history.consume(message)
    history.consume(spectrum_message(7.0))
    history.close()
    history.close()
    history.consume(estimate(7))  # ignored after the end
    assert (history.dropped, history.lost) == (0, 0)
    assert query(path, "SELECT id, source, model, model_version, started, ended FROM sessions") == [
        (1, "radio", "net", "1.2", 1_000, 1_006)
    ]
    assert query(path, "SELECT * FROM segments") == [
        (1, 1, "jazz", "LISTENING", 1_000, 1_005.5, 5.5, 0.8, 2, ""),
        (1, 2, "rock", "LISTENING", 1_005.5, 1_006, 0.5, 0.8, 1, ""),
    ]
    assert query(path, "SELECT kind FROM events") == [("warming_up",), ("gap",)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert query(path, "PRAGMA user_version") == [(VERSION,)]


FULL_DISK = """
from tests.support.full_disk import DiskFiller
from tests.support.waiting import at_most
path, how = Path(sys.argv[1]), sys.argv[2]
disk = DiskFiller(how, path.parent.parent, 40_000)
import logging
lines = []
class Keep(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger().addHandler(Keep())
logging.getLogger().setLevel(logging.INFO)
history = HistoryWriter(path, SystemClock(), flush_seconds=0.01)
history.consume(estimate(5))
wait_until(path.exists)
disk.fill()
n = 0
def publish():
    global n
    n += 1
    history.consume(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
    return any("cannot be written" in line for line in lines)
wait_until(publish)
for _ in range(50):
    publish()
alive = history._thread.is_alive()
disk.empty()
wait_until(lambda: any("written again" in line for line in lines))
history.close()
print(json.dumps([n + 1, alive, history.dropped, history.lost, lines]))
"""


@pytest.mark.parametrize("how", ["limit", *(["tmpfs"] if can_mount() else [])])
def test_a_full_disk_loses_nothing_once_it_has_room_again(tmp_path: Path, how: str) -> None:
    """Any user can limit the size of files, which SQLite sees as a disk error. Root can mount a disk."""
    with small_disk(tmp_path / "disk", how, "192k") as disk:
        path = disk / "overheard" / "history.sqlite"
        output, error = start_child(FULL_DISK, str(path), how).communicate(timeout=120)
        assert output, error
        count, alive, dropped, lost, lines = json.loads(output)
        assert (alive, dropped, lost) == (True, 0, 0)
        assert sum("cannot be written" in line for line in lines) == 1  # although many writes failed
        remedy = "check whether its disk is full" if how == "limit" else "free some space"
        assert remedy in next(line for line in lines if "cannot be written" in line)
        assert query(path, "SELECT sum(estimates) FROM segments") == [(count,)]
        assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_locked_file_is_reported_once_a_minute_and_written_once_it_is_free(
    path: Path, recorder: HistoryRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recorder.add(estimate(5))
    recorder.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for second in range(0, 121, 5):
            get_clock(recorder).now = 200.0 + second
            recorder.add(estimate(6 + second, ("jazz", "rock")[second % 2]))
            recorder.flush(dropped=3)
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
        assert caplog.messages[-1] == (
            f"the history {path} cannot be written: database is locked; close the program that locks it "
            "(retrying; waiting rows: 24, lost rows: 0, dropped messages: 3)"
        )
        other.execute("ROLLBACK")
    recorder.flush(dropped=3)
    assert caplog.messages[3:] == [f"the history {path} can be written again; lost rows: 0"]
    assert query(path, "SELECT sum(estimates) FROM segments") == [(26,)]


def test_rows_beyond_the_limit_are_lost_oldest_first_and_counted(path: Path) -> None:
    path.parent.parent.mkdir()
    path.parent.write_text("a file where the folder should be")
    recorder = HistoryRecorder(HistoryStore(path), VirtualClock())
    for n in range(MAX_WAITING_ROWS + 11):
        recorder.add(estimate(5 + n / 2, ("jazz", "rock")[n % 2]))
    recorder.flush()
    assert recorder.lost == 10
    path.parent.unlink()
    recorder.flush()
    numbers = query(path, "SELECT min(number), max(number), count(*) FROM segments")
    assert numbers == [(11, MAX_WAITING_ROWS + 11, MAX_WAITING_ROWS + 1)]
    recorder.close()


def test_consuming_never_blocks_and_dropped_messages_are_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Event()
    write = HistoryStore.write

    def report_and_write(store: HistoryStore, rows: Iterable[Row]) -> None:
        writing.set()
        write(store, rows)

    HistoryRecorder(HistoryStore(path), VirtualClock()).close()
    first = HistoryWriter(path, SystemClock(), flush_seconds=0.01)
    first.consume(estimate(5))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        history = HistoryWriter(path, SystemClock(), flush_seconds=0.01, busy_seconds=3.0)
        monkeypatch.setattr(HistoryStore, "write", report_and_write)
        history.consume(estimate(5))
        assert writing.wait(10), "the thread does not write"  # it now waits for the lock
        assert history._queue.empty()
        with at_most(1):
            for n in range(MAX_QUEUED_MESSAGES + 500):
                history.consume(estimate(6 + n / 2))
        assert history.dropped == 500
        other.execute("ROLLBACK")
    history.close()
    assert query(path, "SELECT sum(estimates) FROM segments") == [(1 + 1 + MAX_QUEUED_MESSAGES,)]


def test_closing_does_not_wait_forever_for_a_lock(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = HistoryRecorder(HistoryStore(path), VirtualClock())
    first.add(estimate(5))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        history = HistoryWriter(path, SystemClock(), busy_seconds=0.2)
        history.consume(estimate(5))
        with at_most(3):
            history.close()
        assert history.lost == 2  # the segment and the end of the session
    assert caplog.messages[-1] == "the history could not be written; lost rows: 2"


READ_ONLY = """
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65_534)  # root may write anywhere
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
history = HistoryWriter(folder / "history.sqlite", SystemClock(), flush_seconds=0.01)
history.consume(estimate(5))
sys.stdin.readline()
(history.consume(estimate(6)), history.close())
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_read_only_file_is_reported_with_the_remedy_and_written_once_it_is_writable(what: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))  # another user can reach this folder
    target = folder
    try:
        if what == "file":
            target = folder / "history.sqlite"
            recorder = HistoryRecorder(HistoryStore(target), VirtualClock())
            recorder.add(estimate(1))
            recorder.close()
        for each in (folder, *folder.iterdir()):
            if os.geteuid() == 0:
                os.chown(each, 65_534, 65_534)
        folder.chmod(0o700)
        target.chmod(0o500)
        process = start_child(READ_ONLY, str(folder))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "cannot be written" in line, process.communicate()
        assert "make the file and its folder writable" in line
        target.chmod(0o700)
        output, error = process.communicate("\n", timeout=30)
        assert output.startswith("the history")
        assert output.endswith("can be written again; lost rows: 0\n"), error
        expected = [(2,)] if what == "folder" else [(3,)]
        assert query(folder / "history.sqlite", "SELECT sum(estimates) FROM segments") == expected
    finally:
        shutil.rmtree(folder)
