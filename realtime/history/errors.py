"""Errors of the history, and advice for faults of its file."""

from __future__ import annotations

import errno
import sqlite3

from models.errors import OverheardError

DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's error codes of a damaged file. The recorder replaces such a file with a new one."""

REMEDIES = {
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "check whether its disk is full or broken",
    sqlite3.SQLITE_BUSY: "close the program that locks it",
    sqlite3.SQLITE_LOCKED: "close the program that locks it",
}
DEFAULT_REMEDY = "make the file and its folder writable, or name another file with --history"


class HistoryError(OverheardError):
    """The history cannot be read or written, or a request to it is invalid."""


class HistoryDeletedError(Exception):
    """Another program deleted the recorded sessions. The recorder must not write them again."""


def describe_error(error: sqlite3.Error | OSError) -> str:
    """Return the system's description of a fault."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def suggest_remedy(error: sqlite3.Error | OSError) -> str:
    """Return advice that makes the file writable again."""
    if isinstance(error, OSError):
        return "free some space" if error.errno == errno.ENOSPC else DEFAULT_REMEDY
    return REMEDIES.get(sqlite_error_code(error), DEFAULT_REMEDY)


def sqlite_error_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code, or ``SQLITE_ERROR`` for errors that Python itself raises."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
