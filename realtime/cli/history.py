"""``overheard history``: what was heard, session by session."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from models.common.cli import ArgumentParser
from models.common.text import clean_text
from models.manifest import ModelManifest
from realtime import config
from realtime.config import Settings
from realtime.history.corrections import LabelCorrections, quarantined_files, saved_clips
from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections, segments_csv
from realtime.history.queries import Record, open_history, read_corrections, read_session, read_sessions
from realtime.history.store import HistoryStore, check_header
from realtime.history.writer import default_path, resolve_path


def command(arguments: Sequence[str]) -> int:
    """What was heard in earlier sessions, and for how long."""
    options = _parser().parse_args(arguments)
    chosen = config.load(options)
    path = Path(options.file) if options.file else None
    path = path or resolve_path(chosen.history.history) or default_path()
    since = parse_date(options.since) if options.since else float("-inf")
    if options.yes and not options.forget:
        raise HistoryError("--yes belongs to --forget")
    if options.forget:
        print(_forget(path, chosen, sure=options.yes))
        return 0
    if options.correct is not None:
        print(_correct(path, chosen, options.correct))
        return 0
    with contextlib.closing(open_history(path)) as connection:
        try:
            if options.export_corrections:
                print(export_corrections(connection, path, Path(options.export_corrections)))
            elif options.session is not None:
                _print_session(read_session(connection, options.session, time.time()), options)
            else:
                _print_sessions(connection, read_sessions(connection, since, time.time()), path, options)
        except sqlite3.Error as error:
            raise HistoryError(f"cannot read the history {path}: {error}") from error
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="overheard history",
        description="List the sessions that were recorded, show one of them, or correct what was heard.",
    )
    parser.add_argument("--file", metavar="FILE", help="history to read (default: the one of the settings)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json",
        action="store_true",
        help="print each session as a line of JSON; with --session one object",
    )
    how.add_argument("--csv", action="store_true", help="print the segments as a table, one a line")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--session", type=int, metavar="N", help="show the segments and events of session N, and totals"
    )
    which.add_argument("--since", metavar="DATE", help="only sessions that lasted until DATE, as 2026-07-31")
    which.add_argument(
        "--correct",
        metavar="SESSION/SEGMENT=GENRE",
        help="say what it was, as 3/2=jazz; 3/2= takes it back",
    )
    which.add_argument(
        "--export-corrections", metavar="FOLDER", help="write corrected sound for `overheard train prepare`"
    )
    which.add_argument(
        "--forget", action="store_true", help="delete the whole history, corrections and kept sound included"
    )
    parser.add_argument("--yes", action="store_true", help="with --forget: do it")
    return parser


def _correct(path: Path, chosen: Settings, text: str) -> str:
    wanted = re.fullmatch(r"(\d{1,18})/(\d{1,18})=(.*)", text, re.ASCII)
    if wanted is None:
        raise HistoryError(
            f"--correct is {text!r}; it must be SESSION/SEGMENT=GENRE, such as 3/2=jazz; "
            "--session 3 --json tells the numbers"
        )
    manifest = ModelManifest.load(Path(chosen.model.manifest) if chosen.model.manifest else None)
    open_history(path).close()  # says what is wrong with it, and makes none
    session, segment, genre = int(wanted[1]), int(wanted[2]), wanted[3].strip() or None
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).correct(session, segment, genre, time.time())


def _forget(path: Path, chosen: Settings, *, sure: bool) -> str:
    _refuse_to_delete(path)
    try:
        with contextlib.closing(open_history(path)) as connection:
            sessions = len(read_sessions(connection, float("-inf"), time.time()))
            what = f"sessions: {sessions}, corrections: {len(read_corrections(connection))}"
    except (sqlite3.Error, HistoryError) as error:
        if not path.parent.is_dir() or not (path.is_file() or saved_clips(path) or quarantined_files(path)):
            raise HistoryError(str(error)) from error
        what = f"unread: {error}"
    if not sure:
        raise HistoryError(
            f"--forget deletes {path} for good ({what}, kept sounds: {len(saved_clips(path))}); "
            "say --forget --yes if that is what you want"
        )
    manifest = ModelManifest.load(Path(chosen.model.manifest) if chosen.model.manifest else None)
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).delete_all(time.time())


def _refuse_to_delete(path: Path) -> None:
    """Raise HistoryError for a file that nothing tells to be a history, whatever was typed."""
    with contextlib.suppress(FileNotFoundError):
        try:
            check_header(path)
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"{path} is not seen to be a history ({error}); delete it by hand if it is a damaged one"
            ) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise HistoryError(f"cannot read {path}: {error.strerror or error}") from error


def _print_sessions(
    connection: sqlite3.Connection, sessions: list[Record], path: Path, options: argparse.Namespace
) -> None:
    if options.csv:
        parts = (read_session(connection, session["id"], time.time()) for session in sessions)
        print(segments_csv(parts), end="")
    elif options.json:
        for session in sessions:
            print(json.dumps(session, ensure_ascii=False))
    else:
        print("\n".join(map(_session_line, sessions)) if sessions else f"no such session in {path}")


def _print_session(session: Record, options: argparse.Namespace) -> None:
    if options.csv:
        print(segments_csv([session]), end="")
    else:
        print(json.dumps(session, ensure_ascii=False) if options.json else _session_text(session))


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


def _session_line(session: Record) -> str:
    heard = ", ".join(f"{name} {_duration(s)}" for name, s in _named(session["seconds"])[:3])
    how = " (running)" if session["running"] else " (broken off)" if session["broken_off"] else ""
    lasted = _duration(_end(session) - session["started"])
    source = _shown(session["source"])
    return f"{session['id']:>5}  {_when(session['started'])}  {lasted:>9}{how}  {source}  {heard}".rstrip()


def _session_text(session: Record) -> str:
    """Segments and events in the order of their times, then the totals."""
    how = ", running" if session["running"] else ", broken off" if session["broken_off"] else ""
    lines = [
        f"session {session['id']}: {_shown(session['source'])}",
        f"{_when(session['started'])} to {_when(_end(session))}{how}",
        f"model {_shown(session['model'])} {_shown(session['model_version'])}".rstrip(),
        "",
    ]
    entries: list[tuple[float, str]] = []
    for segment in session["segments"]:
        name = segment["genre"] if segment["state"] == "LISTENING" else _state(segment["state"])
        sure = "" if segment["confidence"] is None else f"  {segment['confidence']:.0%}"
        right = f"  (corrected: {_shown(segment['correction'])})" if segment["correction"] else ""
        entries.append((segment["started"], f"{_duration(segment['seconds']):>9}  {name}{sure}{right}"))
    for event in session["events"]:
        detail = f": {_shown(event['detail'])}" if event["detail"] else ""
        entries.append((event["occurred_at"], f"{'':>9}  [{event['kind'].replace('_', ' ')}{detail}]"))
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
    return float(session["last_seen_at"] if session["ended"] is None else session["ended"])


def _when(unix: float) -> str:
    return datetime.fromtimestamp(unix).isoformat(" ", "seconds")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))


def _shown(text: str) -> str:
    """Clean a name that a station gave itself, so that it cannot steer the terminal."""
    return clean_text(text, replacement="?")
