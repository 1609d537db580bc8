"""Histories of version 1: brought up to date whole or not at all, and read where they may not be written."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from realtime.history.errors import HistoryError
from realtime.history.queries import open_history, read_corrections, read_session
from realtime.history.recorder import HistoryRecorder
from realtime.history.schema import APPLICATION_ID, TABLES, VERSION, migrate
from realtime.history.store import HistoryStore
from tests.support.clock import VirtualClock
from tests.support.histories import CHILD, child, estimate, query, recorded, version_1
from tests.support.paths import ROOT


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return version_1(tmp_path / "history.sqlite")


def tables(path: Path) -> list[tuple[object, ...]]:
    return query(path, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")


def test_an_old_file_is_brought_up_to_date_with_everything_in_it(old: Path, tmp_path: Path) -> None:
    segments = query(old, "SELECT * FROM segments")
    assert (len(segments), query(old, "PRAGMA user_version")) == (2, [(1,)])
    recorded(old, estimate(5))
    assert query(old, "SELECT * FROM segments WHERE session = 1") == segments
    assert query(old, "SELECT kind FROM events") == [("warming_up",)]
    assert query(old, "SELECT session, number, from_seconds, to_seconds FROM stretches") == [(2, 1, 0, 5)]
    assert query(old, "PRAGMA user_version") == [(VERSION,)]
    assert query(old, "PRAGMA integrity_check") == [("ok",)]
    new = recorded(tmp_path / "new.sqlite", estimate(5))
    assert query(old, "PRAGMA application_id") == query(new, "PRAGMA application_id") == [(APPLICATION_ID,)]
    # A file that was migrated and one that was begun now are the same but for how the first was typed.
    assert [(name, str(sql).split()) for name, sql in tables(old)] == [
        (name, str(sql).split()) for name, sql in tables(new)
    ]
    assert {name for name, _ in tables(new)} == set(TABLES)


def test_an_old_file_is_read_without_being_changed(old: Path) -> None:
    content = old.read_bytes()
    with closing(open_history(old)) as connection:
        session = read_session(connection, 1, 2_000)
        assert read_corrections(connection) == []
    assert [(each["number"], each["genre"], each["correction"]) for each in session["segments"]] == [
        (1, "jazz", None),
        (2, "rock", None),
    ]
    assert old.read_bytes() == content


READ = """
from realtime.cli.history import command
if os.geteuid() == 0:
    os.seteuid(65_534)  # root may write anywhere
sys.exit(command(["--file", sys.argv[1], "--session", "1"]))
"""


def test_an_old_file_is_read_where_nothing_may_be_written(old: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))  # one that another user reaches, unlike tmp_path
    try:
        copy = folder / "history.sqlite"
        shutil.copyfile(old, copy)
        copy.chmod(0o444)
        folder.chmod(0o555)
        told, complaint = child(READ, str(copy)).communicate(timeout=60)
        assert "session 1: radio" in told, complaint
        assert "jazz  80%" in told
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


KILLED = """
import signal, sqlite3
from realtime.history.store import HistoryStore
from realtime.history.segments import SegmentBuilder
opened, at = sqlite3.connect, sys.argv[2]
def die(statement):
    if statement.startswith(at):
        os.kill(os.getpid(), signal.SIGKILL)
def connect(*words, **more):
    connection = opened(*words, **more)
    connection.set_trace_callback(die)
    return connection
sqlite3.connect = connect
HistoryStore(Path(sys.argv[1])).write(SegmentBuilder().add(estimate(5)) or SegmentBuilder().finish())
"""


@pytest.mark.parametrize("statement", ["CREATE TABLE stretches", "PRAGMA user_version = 2", "COMMIT"])
def test_a_crash_in_the_middle_of_a_migration_leaves_the_old_file(old: Path, statement: str) -> None:
    """Killed by the system at a statement of the real migration, and then gone on with."""
    before = tables(old)
    process = child(KILLED, str(old), statement)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert query(old, "PRAGMA user_version") == [(1,)]
    assert tables(old) == before
    assert query(old, "PRAGMA integrity_check") == [("ok",)]
    recorded(old, estimate(5))
    assert query(old, "PRAGMA user_version") == [(VERSION,)]
    assert query(old, "SELECT count(*) FROM segments") == [(3,)]


def test_two_programs_that_migrate_at_once_do_it_once(old: Path) -> None:
    script = """
from realtime.history.store import HistoryStore
from realtime.history.segments import SegmentBuilder
sys.stdin.readline()
fold = SegmentBuilder()
store = HistoryStore(Path(sys.argv[1]), busy_seconds=20)
store.write([*fold.add(estimate(5)), *fold.finish()])
store.close()
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD + script, str(old)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
    assert query(old, "SELECT count(*) FROM sessions") == [(4,)]
    assert query(old, "PRAGMA user_version") == [(VERSION,)]


def test_an_old_program_that_has_the_file_open_goes_on_writing_after_the_migration(old: Path) -> None:
    """A migration that added columns would have stopped it, with an error every five seconds."""
    with closing(sqlite3.connect(old, isolation_level=None)) as before:
        before.execute("SELECT * FROM sessions").fetchall()
        recorded(old, estimate(5))
        before.execute(
            "INSERT OR REPLACE INTO segments SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM sessions "
            "WHERE key = 'k1'",
            (3, "pop", "LISTENING", 1_020, 1_025, 5, 0.5, 9),
        )
    with closing(open_history(old)) as connection:
        assert [each["genre"] for each in read_session(connection, 1, 0)["segments"]] == [
            "jazz",
            "rock",
            "pop",
        ]


def test_a_full_disk_leaves_the_old_file_and_the_migration_is_done_later(old: Path) -> None:
    """SQLite's own limit of a file's pages stands for the disk; that of the system is in test_history."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            migrate(connection)
        connection.execute("ROLLBACK")
    assert query(old, "PRAGMA user_version") == [(1,)]
    assert os.stat(old).st_size
    recorder = HistoryRecorder(HistoryStore(old), VirtualClock())
    recorder.add(estimate(5))
    recorder.close()
    assert recorder.lost == 0
    assert query(old, "PRAGMA user_version") == [(VERSION,)]


def test_a_newer_file_is_refused_by_this_program(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(HistoryError, match=f"has version {VERSION + 1}, and this program knows"):
        HistoryStore(old).write([])
