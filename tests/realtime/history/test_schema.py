"""Migration of histories of earlier versions, whole or not at all, and reading them without changing them."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections
from realtime.history.queries import open_history, read_corrections, read_session
from realtime.history.recorder import HistoryRecorder
from realtime.history.schema import APPLICATION_ID, TABLES, VERSION, migrate
from realtime.history.store import HistoryStore
from tests.support.clock import VirtualClock
from tests.support.histories import (
    estimate,
    query,
    start_child,
    write_history,
    write_version_1,
    write_version_2,
    write_version_3,
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_version_1(tmp_path / "history.sqlite")


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    return write_version_2(tmp_path / "history.sqlite")


def tables(path: Path) -> list[tuple[object, ...]]:
    return query(path, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")


def test_an_old_file_is_brought_up_to_date_with_everything_in_it(old: Path, tmp_path: Path) -> None:
    segments = query(old, "SELECT * FROM segments")
    assert (len(segments), query(old, "PRAGMA user_version")) == (2, [(1,)])
    write_history(old, estimate(5))
    assert query(old, "SELECT * FROM segments WHERE session = 1") == [(*row, "") for row in segments]
    assert query(old, "SELECT kind FROM events") == [("warming_up",)]
    assert query(old, "SELECT session, number, from_seconds, to_seconds FROM segment_audio") == [(2, 1, 0, 5)]
    assert query(old, "PRAGMA user_version") == [(VERSION,)]
    assert query(old, "PRAGMA integrity_check") == [("ok",)]
    new = write_history(tmp_path / "new.sqlite", estimate(5))
    assert query(old, "PRAGMA application_id") == query(new, "PRAGMA application_id") == [(APPLICATION_ID,)]
    # A migrated file and a new one have the same schema, apart from white space.
    assert [(name, str(sql).split()) for name, sql in tables(old)] == [
        (name, str(sql).split()) for name, sql in tables(new)
    ]
    assert {name for name, _ in tables(new)} == set(TABLES)


RENAMED = {"segment_audio": "stretches"}
"""Tables of version 3 that had another name in version 2."""


def contents(path: Path, names: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    return {table: query(path, f"SELECT * FROM {names.get(table, table)} ORDER BY 1, 2") for table in TABLES}


def with_tags(before: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    """Return the contents of an earlier version as they are with the column ``tags``, which is empty."""
    return before | {"segments": [(*row, "") for row in before["segments"]]}


def columns(path: Path, table: str) -> list[object]:
    return [name for (name,) in query(path, f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid")]


def test_a_file_of_version_2_keeps_every_value_under_the_new_names(previous: Path, tmp_path: Path) -> None:
    before = contents(previous, RENAMED)
    assert {table: len(rows) for table, rows in before.items()} == {
        "corrections": 2, "segment_audio": 6, "events": 6, "segments": 6, "sessions": 3,
    }  # fmt: skip
    HistoryStore(previous).write([])
    assert contents(previous, {}) == with_tags(before)
    assert query(previous, "PRAGMA user_version") == [(VERSION,)]
    assert query(previous, "PRAGMA integrity_check") == [("ok",)]
    assert query(previous, "PRAGMA foreign_key_check") == []
    assert columns(previous, "sessions")[5:] == ["started", "last_seen_at", "ended"]
    assert columns(previous, "events")[2] == "occurred_at"
    assert columns(previous, "corrections")[3] == "corrected_at"
    new = write_history(tmp_path / "new.sqlite", estimate(5))
    assert [(name, str(sql).split()) for name, sql in tables(previous)] == [
        (name, str(sql).split()) for name, sql in tables(new)
    ]
    write_history(previous, estimate(5))
    assert query(previous, "SELECT max(id) FROM sessions") == [(4,)]  # session numbers continue


def test_a_file_of_version_2_is_read_as_one_of_today_without_being_changed(previous: Path) -> None:
    content = previous.read_bytes()
    with closing(open_history(previous)) as connection:
        before = [read_session(connection, number, 1_700_000_101) for number in (1, 2, 3)]
        corrections = [tuple(row) for row in read_corrections(connection)]
    assert previous.read_bytes() == content
    HistoryStore(previous).write([])
    with closing(open_history(previous)) as connection:
        assert [read_session(connection, number, 1_700_000_101) for number in (1, 2, 3)] == before
        assert [tuple(row) for row in read_corrections(connection)] == corrections
    assert corrections == [
        (1, 2, "jazz", 1_300.25, "corrections/jazz/1-2.wav"),
        (2, 1, "blues", 1_301.5, "/music/song.flac"),
    ]
    assert (before[0]["last_seen_at"], before[0]["running"], before[2]["running"]) == (1_020, False, True)
    assert [each["correction"] for each in before[0]["segments"]] == [None, "jazz", None, None]
    assert before[0]["events"][3] == {"occurred_at": 1_015.6, "kind": "title", "detail": "Kind of Blue"}


def test_corrections_of_a_file_of_version_2_are_exported_without_changing_it(
    previous: Path, tmp_path: Path
) -> None:
    content = previous.read_bytes()
    clip = previous.parent / "corrections" / "jazz" / "1-2.wav"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"RIFF")  # the song of the other correction is missing
    with closing(open_history(previous)) as connection:
        report = export_corrections(connection, previous, tmp_path / "set")
    assert report.startswith("corrections with audio: 1 (jazz 1); without: 1 (files that cannot be read: 1)")
    (exported,) = (tmp_path / "set").glob("*/*.wav")
    assert exported.read_bytes() == b"RIFF"
    assert previous.read_bytes() == content


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
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))  # another user can reach this folder
    try:
        copy = folder / "history.sqlite"
        shutil.copyfile(old, copy)
        copy.chmod(0o444)
        folder.chmod(0o555)
        output, error = start_child(READ, str(copy)).communicate(timeout=60)
        assert "session 1: radio" in output, error
        assert "jazz  80%" in output
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


KILLED = """
import signal, sqlite3
from realtime.history.store import HistoryStore
from realtime.history.segments import SegmentBuilder
original, at = sqlite3.connect, sys.argv[2]
def die(statement):
    if statement.startswith(at):
        os.kill(os.getpid(), signal.SIGKILL)
def connect(*arguments, **options):
    connection = original(*arguments, **options)
    connection.set_trace_callback(die)
    return connection
sqlite3.connect = connect
HistoryStore(Path(sys.argv[1])).write(SegmentBuilder().add(estimate(5)) or SegmentBuilder().finish())
"""


@pytest.mark.parametrize(
    ("make", "version", "statement"),
    [
        (write_version_1, 1, "CREATE TABLE stretches"),
        (write_version_1, 1, "PRAGMA user_version = 2"),
        (write_version_1, 1, "COMMIT"),
        (write_version_2, 2, "ALTER TABLE sessions"),
        (write_version_2, 2, "PRAGMA user_version = 3"),
        (write_version_2, 2, "COMMIT"),
    ],
)
def test_a_crash_during_a_migration_leaves_the_old_file_usable(
    make: Callable[[Path], Path], version: int, statement: str, tmp_path: Path
) -> None:
    """The process is killed at a statement of the migration. The next one migrates the file."""
    old = make(tmp_path / "history.sqlite")
    before = tables(old)
    (segments,) = query(old, "SELECT count(*) FROM segments")[0]
    process = start_child(KILLED, str(old), statement)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert query(old, "PRAGMA user_version") == [(version,)]
    assert tables(old) == before
    assert query(old, "PRAGMA integrity_check") == [("ok",)]
    with closing(sqlite3.connect(old)) as connection, connection:  # with the statements of that version
        connection.execute("UPDATE sessions SET seen = seen + 1 WHERE id = 1")
        connection.execute("INSERT INTO events VALUES (1, 99, 1018, 'title', 'Blue in Green')")
    write_history(old, estimate(5))
    assert query(old, "PRAGMA user_version") == [(VERSION,)]
    assert query(old, "SELECT count(*) FROM segments") == [(int(str(segments)) + 1,)]
    assert query(old, "SELECT last_seen_at FROM sessions WHERE id = 1") == [(1_021,)]
    assert query(old, "SELECT occurred_at FROM events WHERE number = 99") == [(1_018,)]


def test_two_programs_that_migrate_at_once_migrate_once(old: Path) -> None:
    script = """
from realtime.history.store import HistoryStore
from realtime.history.segments import SegmentBuilder
sys.stdin.readline()
builder = SegmentBuilder()
store = HistoryStore(Path(sys.argv[1]), busy_seconds=20)
store.write([*builder.add(estimate(5)), *builder.finish()])
store.close()
"""
    processes = [start_child(script, str(old)) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
    assert query(old, "SELECT count(*) FROM sessions") == [(4,)]
    assert query(old, "PRAGMA user_version") == [(VERSION,)]


def test_a_program_whose_open_file_is_migrated_by_a_newer_one_logs_it_once_and_damages_nothing(
    old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The program logged a missing column every five seconds, and advised to make the file writable."""
    recorder = HistoryRecorder(HistoryStore(old), VirtualClock())
    recorder.add(estimate(5))
    recorder.flush()
    with closing(sqlite3.connect(old)) as newer:
        newer.execute("ALTER TABLE sessions RENAME COLUMN last_seen_at TO another")
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        newer.commit()
    before = query(old, "SELECT * FROM segments")
    caplog.clear()
    for at in (5.5, 6.0):
        recorder.add(estimate(at, "rock"))
        recorder.flush()
    recorder.close()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        f"the history {old} has version {VERSION + 1}, and this program supports versions up to {VERSION}; "
        "update Overheard or name another file; the history is not recorded"
    )
    assert query(old, "SELECT * FROM segments") == before
    assert query(old, "PRAGMA integrity_check") == [("ok",)]


def test_a_program_of_version_2_that_has_the_file_open_fails_without_a_partial_write(
    previous: Path,
) -> None:
    """The transaction of version 2, statement by statement, after this program has migrated the file."""
    with closing(sqlite3.connect(previous, isolation_level=None)) as before:
        before.execute("SELECT * FROM sessions").fetchall()
        write_history(previous, estimate(5))
        rows = contents(previous, {})
        before.execute("BEGIN IMMEDIATE")
        before.execute("INSERT INTO events SELECT id, 99, 1, 'gap', '' FROM sessions WHERE key = 'key-1'")
        with pytest.raises(sqlite3.OperationalError, match="no such column: seen"):
            before.execute("UPDATE sessions SET seen = ?, ended = ? WHERE key = ?", (1.0, None, "key-1"))
        before.execute("ROLLBACK")
    assert contents(previous, {}) == rows


def test_a_reader_of_version_2_reads_on_after_another_program_has_migrated_the_file(previous: Path) -> None:
    script = """
from realtime.history.store import HistoryStore
HistoryStore(Path(sys.argv[1]), busy_seconds=20).write([])
"""
    with closing(open_history(previous)) as connection:
        before = read_session(connection, 1, 1_700_000_101)
        assert start_child(script, str(previous)).communicate(timeout=60) == ("", "")
        assert query(previous, "PRAGMA user_version") == [(VERSION,)]
        assert read_session(connection, 1, 1_700_000_101) == before
    with closing(open_history(previous)) as connection:
        assert read_session(connection, 1, 1_700_000_101) == before


def test_a_file_of_version_3_is_read_unchanged_and_keeps_every_value(tmp_path: Path) -> None:
    previous = write_version_3(tmp_path / "history.sqlite")
    content, rows = previous.read_bytes(), contents(previous, {})
    with closing(open_history(previous)) as connection:
        before = read_session(connection, 1, 1_700_000_101)
    assert [segment["tags"] for segment in before["segments"]] == [[], [], [], []]
    assert previous.read_bytes() == content
    HistoryStore(previous).write([])
    assert query(previous, "PRAGMA user_version") == [(VERSION,)]
    assert contents(previous, {}) == with_tags(rows)
    with closing(open_history(previous)) as connection:
        assert read_session(connection, 1, 1_700_000_101) == before
    new = write_history(tmp_path / "new.sqlite", estimate(5))
    assert [(name, str(sql).split()) for name, sql in tables(previous)] == [
        (name, str(sql).split()) for name, sql in tables(new)
    ]


@pytest.mark.parametrize("statement", ["ALTER TABLE segments", "PRAGMA user_version = 4", "COMMIT"])
def test_a_crash_during_the_migration_of_version_3_leaves_the_file_usable(
    statement: str, tmp_path: Path
) -> None:
    previous = write_version_3(tmp_path / "history.sqlite")
    before, rows = tables(previous), contents(previous, {})
    process = start_child(KILLED, str(previous), statement)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert query(previous, "PRAGMA user_version") == [(3,)]
    assert (tables(previous), contents(previous, {})) == (before, rows)
    write_history(previous, estimate(5, tags={"soul": 0.5}))
    assert query(previous, "PRAGMA user_version") == [(VERSION,)]
    assert query(previous, "SELECT tags FROM segments WHERE session = 4") == [("soul",)]


def test_a_full_disk_leaves_the_old_file_and_the_next_start_migrates_it(old: Path) -> None:
    """SQLite's page limit stands in for a full disk. Real full disks are in test_writer."""
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
    with pytest.raises(HistoryError, match=f"has version {VERSION + 1}, and this program supports"):
        HistoryStore(old).write([])
