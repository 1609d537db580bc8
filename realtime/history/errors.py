"""Errors of the history, and what a person can do about a fault of its file."""

from __future__ import annotations

import errno
import sqlite3

from models.errors import OverheardError

DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
REMEDIES = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "look whether its disk is full or broken",
    sqlite3.SQLITE_BUSY: "end the program that keeps it locked",
    sqlite3.SQLITE_LOCKED: "end the program that keeps it locked",
}
REMEDY = "make the file and its folder writable, or name another one with --history"


class HistoryError(OverheardError):
    """The history cannot be read, or the file is not ours to write."""


class HistoryDeletedError(Exception):
    """Another program has deleted what was recorded; nothing of it may be written again."""


def reason(error: sqlite3.Error | OSError) -> str:
    """What the system says of a fault."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def remedy(error: sqlite3.Error | OSError) -> str:
    """What a person can do so that the file can be written."""
    if isinstance(error, OSError):
        return "free some space" if error.errno == errno.ENOSPC else REMEDY
    return REMEDIES.get(code(error), REMEDY)


def code(error: sqlite3.Error) -> int:
    """SQLite's primary code; errors of Python's own layer have none."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
