"""Tables of the history and the migrations of files from earlier versions."""

from __future__ import annotations

import sqlite3

VERSION = 4
"""``PRAGMA user_version`` of new files. The version rises when older programs cannot use the files."""

APPLICATION_ID = 0x4F766872
"""``PRAGMA application_id`` ("Ovhr"), which distinguishes a history from databases of other programs."""

SCHEMA = (
    """CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL,
        started REAL NOT NULL, seen REAL NOT NULL, ended REAL)""",
    """CREATE TABLE segments (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
        genre TEXT, state TEXT NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, seconds REAL NOT NULL,
        confidence REAL, estimates INTEGER NOT NULL, PRIMARY KEY (session, number)) WITHOUT ROWID""",
    """CREATE TABLE events (session INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
        at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
        PRIMARY KEY (session, number)) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    "PRAGMA user_version = 1",
)
"""Statements of version 1. Every new file starts with version 1, so that the migrations are always in use."""

MIGRATIONS = {
    1: (
        # The genre that a person gave a segment. ``sound`` locates the audio of the segment: a path below the
        # folder of the history, the absolute path of the file that was played, or an empty text.
        """CREATE TABLE corrections (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, genre TEXT NOT NULL, at REAL NOT NULL, sound TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID""",
        # The position of a segment in its stream, in seconds, and the file that was played, or an empty text.
        """CREATE TABLE stretches (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, from_seconds REAL NOT NULL, to_seconds REAL NOT NULL, file TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID""",
        "PRAGMA user_version = 2",
    ),
    2: (
        # Times are Unix seconds.
        "ALTER TABLE stretches RENAME TO segment_audio",
        "ALTER TABLE sessions RENAME COLUMN seen TO last_seen_at",
        "ALTER TABLE events RENAME COLUMN at TO occurred_at",
        "ALTER TABLE corrections RENAME COLUMN at TO corrected_at",
        "PRAGMA user_version = 3",
    ),
    3: (
        # Names of the words that describe the music of a segment, separated by ``TAG_SEPARATOR``.
        "ALTER TABLE segments ADD COLUMN tags TEXT NOT NULL DEFAULT ''",
        "PRAGMA user_version = 4",
    ),
}
"""Statements of each migration, by the version that the migration starts from."""

TABLES = ("corrections", "segment_audio", "events", "segments", "sessions")
"""Names of all tables. A table comes before the tables that its rows refer to."""

TAG_SEPARATOR = ";"
"""Text between two names in the column ``tags``."""

_SESSIONS_VIEW = """CREATE TEMP VIEW sessions AS SELECT id, key, source, model, model_version, started,
    seen AS last_seen_at, ended FROM main.sessions"""
_EVENTS_VIEW = """CREATE TEMP VIEW events AS SELECT session, number, at AS occurred_at, kind, detail
    FROM main.events"""
_SEGMENTS_VIEW = "CREATE TEMP VIEW segments AS SELECT *, '' AS tags FROM main.segments"

VIEWS = {
    1: (
        _SESSIONS_VIEW,
        _EVENTS_VIEW,
        """CREATE TEMP VIEW corrections AS SELECT 0 AS session, 0 AS number, '' AS genre, 0.0 AS corrected_at,
            '' AS sound WHERE FALSE""",
        """CREATE TEMP VIEW segment_audio AS SELECT 0 AS session, 0 AS number, 0.0 AS from_seconds,
            0.0 AS to_seconds, '' AS file WHERE FALSE""",
        _SEGMENTS_VIEW,
    ),
    2: (
        _SESSIONS_VIEW,
        _EVENTS_VIEW,
        """CREATE TEMP VIEW corrections AS SELECT session, number, genre, at AS corrected_at, sound
            FROM main.corrections""",
        "CREATE TEMP VIEW segment_audio AS SELECT * FROM main.stretches",
        _SEGMENTS_VIEW,
    ),
    3: (_SEGMENTS_VIEW,),
}
"""Views with the present tables and columns for the files of each earlier version."""


def file_version(connection: sqlite3.Connection) -> int:
    """Return ``PRAGMA user_version`` of the file, which is 0 for a file without tables.

    Raises
    ------
    sqlite3.Error
        If the file cannot be read.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate a file or an empty database to ``VERSION``, within the transaction of the caller.

    Raises
    ------
    sqlite3.Error
        If the file cannot be written. The caller rolls back, and the file stays as it was.
    """
    version = file_version(connection)
    if version == 0:
        for statement in SCHEMA:
            connection.execute(statement)
        version = 1
    while version < VERSION:
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        version += 1


def add_compatibility_views(connection: sqlite3.Connection) -> None:
    """Add temporary views, so that a file of an earlier version can be read by the present names.

    The file is not changed. A read transaction stays open, since another program may migrate the file
    between two statements.

    Raises
    ------
    sqlite3.Error
        If the file cannot be read.
    """
    if file_version(connection) not in VIEWS:
        return
    connection.isolation_level = None
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN")
    # Another program may have migrated the file before the transaction began.
    for statement in VIEWS.get(file_version(connection), ()):
        connection.execute(statement)
