"""The history's tables, and how files of earlier versions are brought to them.

A migration adds tables and changes none, so that an older program that has the file open goes on writing.
"""

from __future__ import annotations

import sqlite3

VERSION = 2
"""``PRAGMA user_version`` of the files written here; rises when older programs could not read them."""

APPLICATION_ID = 0x4F766872
"""``PRAGMA application_id``, "Ovhr": tells our file from another program's database."""

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
"""Version 1. Every file begins with it and is migrated, so that the migrations are in use every day."""

MIGRATIONS = {
    1: (
        # What a person said a segment was, at Unix second ``at``. ``sound`` is where it can be heard again:
        # a path below the history's folder, the absolute path of the file that was played, or empty.
        """CREATE TABLE corrections (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, genre TEXT NOT NULL, at REAL NOT NULL, sound TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID""",
        # Where in its stream a segment lies, in seconds, and the file that was played, or empty.
        """CREATE TABLE stretches (session INTEGER NOT NULL REFERENCES sessions (id),
            number INTEGER NOT NULL, from_seconds REAL NOT NULL, to_seconds REAL NOT NULL, file TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID""",
        "PRAGMA user_version = 2",
    ),
}
"""By the version that each of them starts from."""

TABLES = ("corrections", "stretches", "events", "segments", "sessions")
"""All of them, those first that refer to others."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to ``VERSION``, an empty one too; whole or not at all in the caller's transaction.

    Raises
    ------
    sqlite3.Error
        It cannot be written.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in SCHEMA:
            connection.execute(statement)
        version = 1
    while version < VERSION:
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        version += 1
