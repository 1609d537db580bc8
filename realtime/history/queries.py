"""Read-only queries of the history. Files of all versions can be read, even in a read-only folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, TypeAlias

from realtime.history.errors import HistoryError
from realtime.history.schema import TAG_SEPARATOR, add_compatibility_views, file_version, migrate
from realtime.history.store import check_header, check_version

Record: TypeAlias = dict[str, Any]

RUNNING_SECONDS = 30.0
"""Age of the last message up to which a session without an end counts as running."""

READ_TIMEOUT_SECONDS = 5.0
"""Seconds to wait for a program that locks the file. After that, reading fails."""

MAX_ROW_NUMBER = 2**63
"""Integers of SQLite are below this number."""


class UnknownSessionError(HistoryError):
    """No session has the requested number."""


def open_history(path: Path) -> sqlite3.Connection:
    """Open a history for reading only.

    Raises
    ------
    HistoryError
        If the file does not exist, is damaged, or belongs to another program or a newer version.
    """
    try:
        check_header(path)
        if path.stat().st_size == 0:  # another program is creating the file at this moment
            raise FileNotFoundError
        address = f"{path.resolve().as_uri()}?mode=ro"
        log = Path(f"{path}-wal")
        try:
            return _prepare(path, sqlite3.connect(address, uri=True, timeout=READ_TIMEOUT_SECONDS))
        except sqlite3.OperationalError:
            if log.exists():
                raise
            # SQLite cannot lock the file in a read-only folder. Without a -wal file no program is writing.
            return _prepare(path, sqlite3.connect(f"{address}&immutable=1", uri=True))
    except FileNotFoundError as error:
        raise HistoryError(
            f"there is no history at {path}; `overheard listen` and `overheard run` write one"
        ) from error
    except OSError as error:
        raise HistoryError(f"cannot read the history {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise HistoryError(f"cannot read the history {path}: {error}") from error


def open_empty_history() -> sqlite3.Connection:
    """Create a history without sessions in memory."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    migrate(connection)
    return connection


def _prepare(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Check that the file can be read, and add views to a file of an earlier version."""
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("SELECT count(*) FROM sessions").fetchone()  # sqlite3.connect itself reads nothing
        check_version(path, file_version(connection))
        add_compatibility_views(connection)
    except (sqlite3.Error, HistoryError):
        connection.close()
        raise
    return connection


def read_sessions(connection: sqlite3.Connection, since: float, now: float) -> list[Record]:
    """Read the sessions that ended at ``since`` (Unix seconds) or later, or still run, the oldest first.

    Returns
    -------
    list of dict
        Columns of ``sessions`` except ``key``, and three more keys. ``running`` is true if a session has no
        end and its last message is less than ``RUNNING_SECONDS`` old. ``broken_off`` is true if the message
        is older, because the program ended unexpectedly. ``seconds`` maps genres to seconds of audio, and
        states in capitals where no genre was recognized.
    """
    return _read_summaries(
        connection, "WHERE max(last_seen_at, coalesce(ended, last_seen_at)) >= ?", (since,), now
    )


def _read_summaries(
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
    """Read one session as ``read_sessions`` does, with ``segments`` and ``events``.

    The ``correction`` of a segment is the genre that a person gave the segment, or None. ``tags`` is a list.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    """
    (session,) = _read_summaries(connection, "WHERE id = ?", (require_session(connection, number),), now)
    corrections = {row["number"]: row for row in read_corrections(connection, number)}
    segments = []
    for row in connection.execute("SELECT * FROM segments WHERE session = ? ORDER BY number", (number,)):
        segment = dict(row)
        del segment["session"]
        correction = corrections.get(segment["number"])
        tags = segment["tags"].split(TAG_SEPARATOR) if segment["tags"] else []
        segments.append(segment | {"tags": tags, "correction": correction and correction["genre"]})
    events = [
        dict(row)
        for row in connection.execute(
            "SELECT occurred_at, kind, detail FROM events WHERE session = ? ORDER BY number", (number,)
        )
    ]
    return session | {"segments": segments, "events": events}


def read_corrections(connection: sqlite3.Connection, session: int | None = None) -> list[sqlite3.Row]:
    """Read the rows of ``corrections`` of one session, or of all sessions if ``session`` is None."""
    where = "" if session is None else "WHERE session = ?"
    return connection.execute(
        f"SELECT * FROM corrections {where} ORDER BY session, number", () if session is None else (session,)
    ).fetchall()


def require_session(connection: sqlite3.Connection, number: int) -> int:
    """Return the number of a session that exists.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    """
    exists = "SELECT 1 FROM sessions WHERE id = ?"
    if abs(number) < MAX_ROW_NUMBER and connection.execute(exists, (number,)).fetchone():
        return number
    (last,) = connection.execute("SELECT max(id) FROM sessions").fetchone()
    hint = f"the last session is {last}" if last else "the history has no sessions"
    raise UnknownSessionError(f"there is no session {number}; {hint}")
