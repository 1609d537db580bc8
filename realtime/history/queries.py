"""Reading the history, and nothing else: files of every version, also where nothing may be written."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, TypeAlias

from realtime.history.errors import HistoryError
from realtime.history.schema import file_version, migrate, show_as_current
from realtime.history.store import check_header, check_version

Record: TypeAlias = dict[str, Any]

RUNNING_SECONDS = 30.0
"""A session without an end that was written to less long ago is taken to be running."""

MAX_ROW_NUMBER = 2**63
"""SQLite's numbers lie below."""


class UnknownSessionError(HistoryError):
    """There is no session of that number."""


def open_history(path: Path) -> sqlite3.Connection:
    """Open a history for reading only.

    Raises
    ------
    HistoryError
        There is none, it is damaged, or it is not one that this program knows.
    """
    try:
        check_header(path)
        if path.stat().st_size == 0:  # it is being made at this moment
            raise FileNotFoundError
        address = f"{path.resolve().as_uri()}?mode=ro"
        beside = Path(f"{path}-wal")
        try:
            return _checked(path, sqlite3.connect(address, uri=True, timeout=5.0))
        except sqlite3.OperationalError:
            if beside.exists():
                raise
            # In a folder that we may not write to SQLite cannot lock; without -wal nobody is writing.
            return _checked(path, sqlite3.connect(f"{address}&immutable=1", uri=True))
    except FileNotFoundError as error:
        raise HistoryError(
            f"there is no history at {path}; it is written while `overheard listen` or `overheard run` runs"
        ) from error
    except OSError as error:
        raise HistoryError(f"cannot read the history {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise HistoryError(f"cannot read the history {path}: {error}") from error


def empty() -> sqlite3.Connection:
    """A history in memory in which nothing has been recorded."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    migrate(connection)
    return connection


def _checked(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Read once, since opening alone reads nothing, and give an earlier version today's names."""
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("SELECT count(*) FROM sessions").fetchone()
        check_version(path, file_version(connection))
        show_as_current(connection)
    except (sqlite3.Error, HistoryError):
        connection.close()
        raise
    return connection


def read_sessions(connection: sqlite3.Connection, since: float, now: float) -> list[Record]:
    """Sessions that lasted until ``since`` or later (Unix seconds), oldest first.

    Returns
    -------
    list of dict
        The columns of ``sessions`` without ``key``; ``running``, and ``broken_off`` for one that ended
        without saying so; ``seconds``: sound by genre, and by state in capitals where none was heard.
    """
    return _sessions(connection, "WHERE max(last_seen_at, coalesce(ended, last_seen_at)) >= ?", (since,), now)


def _sessions(
    connection: sqlite3.Connection, where: str, values: tuple[float, ...], now: float
) -> list[Record]:
    totals: dict[int, dict[str, float]] = {}
    for number, name, seconds in connection.execute(
        "SELECT session, CASE state WHEN 'LISTENING' THEN genre ELSE state END AS name, "
        f"sum(seconds) AS total FROM segments WHERE session IN (SELECT id FROM sessions {where}) "
        "GROUP BY session, name ORDER BY total DESC, name",
        values,
    ):
        totals.setdefault(number, {})[name] = round(seconds, 3)
    sessions = []
    for row in connection.execute(f"SELECT * FROM sessions {where} ORDER BY started, id", values):
        session = dict(row)
        del session["key"]
        unended = session["ended"] is None
        session["running"] = unended and now - session["last_seen_at"] < RUNNING_SECONDS
        session["broken_off"] = unended and not session["running"]
        session["seconds"] = totals.get(session["id"], {})
        sessions.append(session)
    return sessions


def read_session(connection: sqlite3.Connection, number: int, now: float) -> Record:
    """One session as ``read_sessions`` gives it, with ``segments`` and ``events``.

    A segment has its ``number``, and the genre that a person gave it as ``correction``, or None.

    Raises
    ------
    UnknownSessionError
        There is no such session.
    """
    (session,) = _sessions(connection, "WHERE id = ?", (require_session(connection, number),), now)
    corrections = {row["number"]: row for row in read_corrections(connection, number)}
    segments = []
    for row in connection.execute("SELECT * FROM segments WHERE session = ? ORDER BY number", (number,)):
        segment = dict(row)
        del segment["session"]
        correction = corrections.get(segment["number"])
        segments.append(segment | {"correction": correction and correction["genre"]})
    events = [
        dict(row)
        for row in connection.execute(
            "SELECT occurred_at, kind, detail FROM events WHERE session = ? ORDER BY number", (number,)
        )
    ]
    return session | {"segments": segments, "events": events}


def read_corrections(connection: sqlite3.Connection, session: int | None = None) -> list[sqlite3.Row]:
    """Rows of ``corrections``, of one session or of all."""
    where = "" if session is None else "WHERE session = ?"
    return connection.execute(
        f"SELECT * FROM corrections {where} ORDER BY session, number", () if session is None else (session,)
    ).fetchall()


def require_session(connection: sqlite3.Connection, number: int) -> int:
    """The number of a session that is there.

    Raises
    ------
    UnknownSessionError
        There is no such session.
    """
    exists = "SELECT 1 FROM sessions WHERE id = ?"
    if abs(number) < MAX_ROW_NUMBER and connection.execute(exists, (number,)).fetchone():
        return number
    count, last = connection.execute("SELECT count(*), max(id) FROM sessions").fetchone()
    raise UnknownSessionError(
        f"no session {number}; {f'there are {count}, the last is {last}' if count else 'there is none'}"
    )
