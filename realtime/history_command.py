"""``overheard history``: what was heard, session by session."""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from realtime import settings
from realtime.history import chosen_path, default_path
from realtime.history_file import HistoryError, check_header

Record: TypeAlias = dict[str, Any]

RUNNING_SECONDS = 30.0
"""A session without an end that was written to less long ago is taken to be running."""


def command(arguments: Sequence[str]) -> int:
    """What was heard in earlier sessions, and for how long."""
    parser = argparse.ArgumentParser(
        prog="overheard history", description="List the sessions that were recorded, or show one of them."
    )
    parser.add_argument("--file", metavar="FILE", help="history to read (default: the one of the settings)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print each session as a line of JSON; with --session one object",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--session", type=int, metavar="N", help="show the segments and events of session N, and totals"
    )
    which.add_argument("--since", metavar="DATE", help="only sessions that lasted until DATE, as 2026-07-31")
    options = parser.parse_args(arguments)
    path = Path(options.file) if options.file else None
    path = path or chosen_path(settings.load(options).history.history) or default_path()
    since = parse_date(options.since) if options.since else float("-inf")
    with contextlib.closing(open_history(path)) as connection:
        try:
            if options.session is not None:
                session = read_session(connection, options.session, time.time())
                print(json.dumps(session, ensure_ascii=False) if options.json else _session_text(session))
                return 0
            sessions = read_sessions(connection, since, time.time())
        except sqlite3.Error as error:
            raise HistoryError(f"cannot read the history {path}: {error}") from error
    if options.json:
        for session in sessions:
            print(json.dumps(session, ensure_ascii=False))
        return 0
    print("\n".join(map(_session_line, sessions)) if sessions else f"no such session in {path}")
    return 0


def parse_date(text: str) -> float:
    """Unix seconds of a date, with or without a time; local time where no zone is named.

    Raises
    ------
    HistoryError
        It is none.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise HistoryError(
            f"--since is {text!r}; it must be a date such as 2026-07-31 or 2026-07-31T20:00"
        ) from error


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
            return _checked(sqlite3.connect(address, uri=True, timeout=5.0))
        except sqlite3.OperationalError:
            if beside.exists():
                raise
            # In a folder that we may not write to SQLite cannot lock; without -wal nobody is writing.
            return _checked(sqlite3.connect(f"{address}&immutable=1", uri=True))
    except FileNotFoundError as error:
        raise HistoryError(
            f"there is no history at {path}; it is written while `overheard listen` or `overheard run` runs"
        ) from error
    except OSError as error:
        raise HistoryError(f"cannot read the history {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise HistoryError(f"cannot read the history {path}: {error}") from error


def _checked(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A connection that has read once: opening alone reads nothing."""
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("SELECT count(*) FROM sessions").fetchone()
    except sqlite3.Error:
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
    sessions = []
    for row in connection.execute(
        "SELECT * FROM sessions WHERE max(seen, coalesce(ended, seen)) >= ? ORDER BY started, id", (since,)
    ).fetchall():
        session = dict(row)
        del session["key"]
        unended = session["ended"] is None
        session["running"] = unended and now - session["seen"] < RUNNING_SECONDS
        session["broken_off"] = unended and not session["running"]
        session["seconds"] = {
            name: round(seconds, 3)
            for name, seconds in connection.execute(
                "SELECT CASE state WHEN 'LISTENING' THEN genre ELSE state END AS name, sum(seconds) AS total "
                "FROM segments WHERE session = ? GROUP BY name ORDER BY total DESC, name",
                (session["id"],),
            )
        }
        sessions.append(session)
    return sessions


def read_session(connection: sqlite3.Connection, number: int, now: float) -> Record:
    """One session as ``read_sessions`` gives it, with ``segments`` and ``events``.

    Raises
    ------
    HistoryError
        There is no such session.
    """
    sessions = read_sessions(connection, float("-inf"), now)
    found = [session for session in sessions if session["id"] == number]
    if not found:
        known = (
            f"there are {len(sessions)}, the last is {sessions[-1]['id']}" if sessions else "there is none"
        )
        raise HistoryError(f"no session {number}; {known}")
    parts = {
        table: [
            {name: value for name, value in dict(row).items() if name not in ("session", "number")}
            for row in connection.execute(
                f"SELECT * FROM {table} WHERE session = ? ORDER BY number", (number,)
            ).fetchall()
        ]
        for table in ("segments", "events")
    }
    return found[0] | parts


def _session_line(session: Record) -> str:
    heard = ", ".join(f"{name} {_duration(s)}" for name, s in _named(session["seconds"])[:3])
    how = " (running)" if session["running"] else " (broken off)" if session["broken_off"] else ""
    lasted = _duration(_end(session) - session["started"])
    source = _plain(session["source"])
    return f"{session['id']:>5}  {_when(session['started'])}  {lasted:>9}{how}  {source}  {heard}".rstrip()


def _session_text(session: Record) -> str:
    """Segments and events in the order of their times, then the totals."""
    how = ", running" if session["running"] else ", broken off" if session["broken_off"] else ""
    lines = [
        f"session {session['id']}: {_plain(session['source'])}",
        f"{_when(session['started'])} to {_when(_end(session))}{how}",
        f"model {_plain(session['model'])} {_plain(session['model_version'])}".rstrip(),
        "",
    ]
    entries: list[tuple[float, str]] = []
    for segment in session["segments"]:
        name = segment["genre"] if segment["state"] == "LISTENING" else _state(segment["state"])
        sure = "" if segment["confidence"] is None else f"  {segment['confidence']:.0%}"
        entries.append((segment["started"], f"{_duration(segment['seconds']):>9}  {name}{sure}"))
    for event in session["events"]:
        detail = f": {_plain(event['detail'])}" if event["detail"] else ""
        entries.append((event["at"], f"{'':>9}  [{event['kind'].replace('_', ' ')}{detail}]"))
    lines += [f"{_when(at)}  {text}" for at, text in sorted(entries, key=lambda entry: entry[0])]
    total = sum(session["seconds"].values())
    lines += ["", "in total"]
    lines += [f"{_duration(s):>9}  {s / total:>4.0%}  {name}" for name, s in _named(session["seconds"])]
    return "\n".join(lines)


def _named(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return [(_state(name) if name.isupper() else name, value) for name, value in seconds.items()]


def _state(name: str) -> str:
    return name.lower().replace("_", " ")


def _end(session: Record) -> float:
    return float(session["seen"] if session["ended"] is None else session["ended"])


def _when(unix: float) -> str:
    return datetime.fromtimestamp(unix).isoformat(" ", "seconds")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))


def _plain(text: str) -> str:
    """What a station calls itself must not command the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
