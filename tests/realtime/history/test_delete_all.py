"""Deletion of the history while it is written, and the obstacles to it."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from models.common.paths import atomic_write
from realtime.history.errors import HistoryError
from realtime.history.store import HistoryStore
from tests.support.full_disk import can_mount, small_disk
from tests.support.histories import (
    RunningHistory,
    damage_middle,
    estimate,
    query,
    start_child,
    state,
    write_history,
    write_version_1,
)
from tests.support.waiting import wait_until


def files_with(folder: Path, content: bytes) -> list[str]:
    """Return the names of the files that contain these bytes."""
    return [each.name for each in folder.rglob("*") if each.is_file() and content in each.read_bytes()]


def test_deletion_leaves_nothing_and_starts_a_new_session(running: RunningHistory, tmp_path: Path) -> None:
    secret = "A title that must go"
    running.play_programme()
    number = running.longest_segment("jazz")["number"]
    running.correct(number, "rock")
    theirs = running.path.parent / "corrections" / "notes.txt"
    theirs.write_text("not ours")
    aside = running.path.with_name("history.sqlite.damaged-20260101-000000")
    for suffix in ("", "-wal"):
        Path(f"{aside}{suffix}").write_text(secret)
    for n in range(300):
        running.writer.consume(estimate(5 + n, ("jazz", "rock")[n % 2]))
        running.writer.consume(state(5 + n, "RECOVERING", secret))
    running.document()
    assert len(files_with(running.path.parent, secret.encode())) >= 3
    large = running.path.stat().st_size + Path(f"{running.path}-wal").stat().st_size
    answer = running.delete_all()
    assert answer == "the history is deleted (saved clips: 1)"
    assert files_with(running.path.parent, secret.encode()) == []
    assert files_with(running.path.parent, b"three tones") == []
    assert running.path.stat().st_size < min(100_000, large)
    assert running.clips() == []
    assert theirs.read_text() == "not ours"
    assert not aside.exists()
    (session,) = running.document()["sessions"]  # the running session
    assert session["seconds"] == {}
    assert not any(buffer.length for buffer in running.audio._buffers)

    before = time.time()
    running.writer.consume(replace(estimate(400), captured_at=before + 1))
    running.writer.consume(replace(estimate(400.5), captured_at=before + 1.5))
    (session,) = running.document()["sessions"]
    assert session["started"] == pytest.approx(before, abs=5)  # not Unix second 1000
    assert session["id"] == 3  # numbers are not reused, since an open page may still show the old session
    (segment,) = running.document(str(session["id"]))["segments"]
    assert (segment["number"], segment["estimates"]) == (1, 2)
    assert segment["seconds"] == pytest.approx(5.5, abs=1e-6)
    assert query(running.path, "PRAGMA integrity_check") == [("ok",)]


def test_an_unfinished_clip_of_a_killed_process_is_deleted(running: RunningHistory) -> None:
    """A process that is killed before it renames a clip leaves the clip under another name."""
    running.play_programme()
    running.correct(running.longest_segment("jazz")["number"], "rock")
    (sound,) = running.clips()
    path = next((running.path.parent / "corrections").rglob(Path(sound).name))
    with atomic_write(path):
        (beside,) = path.parent.glob(f".{path.name}.*")
    beside.write_bytes(b"half a sound")
    running.delete_all()
    assert files_with(running.path.parent, b"half a sound") == []


def test_deleting_twice_or_an_empty_history_is_no_error(running: RunningHistory) -> None:
    for _ in range(2):
        answer = running.delete_all()
        assert answer == "the history is deleted (saved clips: 0)"


def test_a_session_that_another_program_deleted_is_started_again(
    running: RunningHistory, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleted rows once came back with the next write of the open segment."""
    caplog.set_level(logging.INFO)
    running.writer.consume(estimate(5))
    running.writer.consume(estimate(6, "rock"))
    assert len(running.document("1")["segments"]) == 2
    other = HistoryStore(running.path)
    other.delete_rows()
    other.close()
    wait_until(lambda: any("another program emptied" in each for each in caplog.messages))
    running.writer.consume(replace(estimate(6.5, "rock"), captured_at=time.time()))
    (session,) = running.document()["sessions"]
    assert session["started"] > 1_000_000
    (segment,) = running.document(str(session["id"]))["segments"]
    assert (segment["genre"], segment["estimates"], segment["seconds"]) == ("rock", 1, 0.5)
    assert running.writer.lost == 0


def test_deletion_reports_a_program_that_still_reads(running: RunningHistory) -> None:
    running.writer.consume(estimate(5))
    running.document()
    with closing(sqlite3.connect(running.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sessions").fetchall()
        assert "another program still reads it" in running.delete_all()
        assert running.document("2")["segments"] == []
        assert files_with(running.path.parent, b"jazzLISTENING") != []
    running.delete_all()
    assert files_with(running.path.parent, b"jazzLISTENING") == []


def test_a_damaged_file_is_deleted_too(tmp_path: Path) -> None:
    path = write_history(
        tmp_path / "h.sqlite", *(estimate(5 + n, ("jazz", "rock")[n % 2]) for n in range(200))
    )
    damage_middle(path)
    running = RunningHistory(path)
    running.delete_all()
    assert [each.name for each in tmp_path.iterdir() if "damaged" in each.name] == []
    assert running.document()["sessions"] == []
    running.writer.consume(estimate(5))
    assert len(running.document()["sessions"]) == 1
    running.writer.close()


def test_the_database_of_another_program_is_neither_corrected_nor_deleted(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    content = path.read_bytes()
    running = RunningHistory(path)
    requests: list[Callable[[], str]] = [lambda: running.correct(1, "rock"), running.delete_all]
    for request in requests:
        with pytest.raises(HistoryError, match="is a database of another program; name another file"):
            request()
    assert "another program" in running.document(status=503)["error"]
    assert path.read_bytes() == content
    running.writer.close()


def test_an_old_file_that_was_locked_is_deleted_at_the_next_attempt(tmp_path: Path) -> None:
    """The connection stayed open without the migration, and the next attempt found no table."""
    path = write_version_1(tmp_path / "h.sqlite")
    with closing(HistoryStore(path, busy_seconds=0.05)) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                store.delete_rows()
            other.execute("ROLLBACK")
        store.delete_rows()
        assert store.compact()
    assert query(path, "SELECT count(*) FROM sessions") == [(0,)]


def test_a_disk_without_room_to_shrink_the_file_is_not_blamed_on_another_program(
    running: RunningHistory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """VACUUM needs room for a copy of the file. A full disk was reported as another program that reads.

    The deleted rows leave the disk all the same, since they are overwritten with zeros.
    """

    class FullDisk(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    secret = "A title that must go"
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *arguments, **options: connect(*arguments, factory=FullDisk, **options)
    )
    running.writer.consume(estimate(5))
    running.writer.consume(state(6, "RECOVERING", secret))
    running.document()
    assert files_with(running.path.parent, secret.encode()) != []
    answer = running.delete_all()
    assert answer == "the history is deleted (saved clips: 0)"
    assert f"the history {running.path} could not be shrunk: database or disk is full" in caplog.messages
    assert files_with(running.path.parent, secret.encode()) == []


def test_a_clip_that_cannot_be_deleted_is_reported_and_the_rows_leave_the_disk(
    running: RunningHistory,
) -> None:
    secret = "A title that must go"
    running.writer.consume(estimate(5))
    running.writer.consume(state(6, "RECOVERING", secret))
    running.document()
    assert files_with(running.path.parent, secret.encode()) != []
    obstacle = running.path.parent / "corrections" / "jazz" / "1-1.wav"
    obstacle.mkdir(parents=True)  # a folder where a file should be
    with pytest.raises(HistoryError, match=r"not all of the history .* could be deleted: "):
        running.delete_all()
    assert files_with(running.path.parent, secret.encode()) == []
    obstacle.rmdir()
    assert running.delete_all() == "the history is deleted (saved clips: 0)"


FULL_DISK = """
from tests.support.full_disk import DiskFiller
from tests.support.histories import RunningHistory
path, how = Path(sys.argv[1]), sys.argv[2]
disk = DiskFiller(how, path.parent.parent, 300_000)
running = RunningHistory(path, flush_seconds=float(sys.argv[3]))
running.play_programme()
number = running.longest_segment("jazz")["number"]
answers = [running.correct(number, "rock")]
def call(function):
    try:
        answers.append(function())
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
disk.fill()
call(lambda: running.correct(1, "rock"))
left = running.clips()
call(lambda: running.delete_all())
disk.empty()
after = running.clips()
call(lambda: running.delete_all())
running.writer.consume(estimate(5))
sessions = running.document()["sessions"]
running.writer.close()
print(json.dumps([number, answers, left, after, [each["source"] for each in sessions]]))
"""


@pytest.mark.parametrize(
    ("how", "flush_seconds"),
    [("limit", 5.0), *([("tmpfs", 0.05), ("tmpfs", 5.0)] if can_mount() else [])],
)
def test_a_full_disk_is_reported_and_does_not_stop_the_deletion(
    tmp_path: Path, how: str, flush_seconds: float
) -> None:
    """Any user can limit the size of files. Root can mount a disk, on which deleted clips make room.

    A loaded machine writes less often, which leaves a smaller log and so less room once the log is gone. The
    file could then not be shrunk before the clips were deleted, and another program was blamed. A log of many
    writes is larger than the limit, and may grow to 4 MB.
    """
    with small_disk(tmp_path / "disk", how, "8m") as disk:
        path = disk / "overheard" / "history.sqlite"
        child = start_child(FULL_DISK, str(path), how, str(flush_seconds))
        output, error = child.communicate(timeout=120)
        assert output, error
        number, (saved, full, deleted, again), left, after, sources = json.loads(output)
        assert saved == f"session 1, segment {number} is now rock; its audio is saved"
        if how == "limit":
            assert full == "session 1, segment 1 is now rock; its audio could not be saved: File too large"
        else:
            assert "No space left on device" in full or "database or disk is full; free some space" in full
        assert left == [f"rock/1-{number}.wav"]  # no unfinished clip
        assert deleted == "the history is deleted (saved clips: 1)"
        assert after == []
        assert again == "the history is deleted (saved clips: 0)"
        assert sources == ["radio"]
