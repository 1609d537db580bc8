"""``overheard history``: show, correct, export or delete recorded sessions."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from models.common.cli import ArgumentParser, UsageError
from models.common.text import clean_text
from models.common.validation import convert
from models.manifest import ModelManifest
from realtime import config
from realtime.config import Settings
from realtime.history.corrections import LabelCorrections, quarantined_files, saved_clips
from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections
from realtime.history.location import default_path, resolve_path
from realtime.history.queries import Record, open_history, read_corrections, read_session, read_sessions
from realtime.history.store import HistoryStore, check_header
from realtime.protocol.history import HistorySession
from realtime.protocol.history_csv import format_csv


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard history",
        description="List recorded sessions, show one of them, correct a genre, or delete everything.",
        examples=[
            ("overheard history --since 2026-07-31", "sessions since that day"),
            ("overheard history --session 3 --csv", "the segments and events of session 3 as a table"),
            ("overheard history --correct 3/2=jazz", "segment 2 of session 3 was jazz"),
            ("overheard history --delete-all --yes", "delete history, corrections and clips"),
        ],
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--session", type=int, metavar="N", help="show the segments, events and totals of session N"
    )
    which.add_argument("--since", metavar="DATE", help="list sessions that lasted until DATE or longer")
    which.add_argument(
        "--correct",
        metavar="SESSION/SEGMENT=GENRE",
        help="set the true genre of a segment; without a GENRE the correction is removed",
    )
    which.add_argument(
        "--export-corrections",
        metavar="FOLDER",
        help="write the clips of corrected segments for `overheard train prepare`",
    )
    which.add_argument(
        "--delete-all", action="store_true", help="delete the history with its corrections and clips"
    )
    parser.add_argument("--yes", action="store_true", help="confirm --delete-all")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for each session, or one object with --session",
    )
    how.add_argument("--csv", action="store_true", help="print segments and events as a table")
    parser.add_argument("--file", metavar="FILE", help="history to read (default: the file of the settings)")
    config.add_options(parser)
    return parser


def command(arguments: Sequence[str]) -> int:
    """Show or change the history."""
    options = build_parser().parse_args(arguments)
    settings = config.load(options)
    path = Path(options.file) if options.file else None
    path = path or resolve_path(settings.history.history) or default_path()
    since = parse_date(options.since) if options.since else float("-inf")
    if options.yes and not options.delete_all:
        raise UsageError("--yes confirms --delete-all, which is missing")
    if options.delete_all:
        print(_delete_all(path, settings, confirmed=options.yes))
        return 0
    if options.correct is not None:
        print(_correct(path, settings, options.correct))
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


def _correct(path: Path, settings: Settings, text: str) -> str:
    wanted = re.fullmatch(r"(\d{1,18})/(\d{1,18})=(.*)", text, re.ASCII)
    if wanted is None:
        raise HistoryError(
            f"--correct is {text!r}; it must be SESSION/SEGMENT=GENRE, such as 3/2=jazz; "
            "--session 3 --json shows the numbers"
        )
    manifest = ModelManifest.load(Path(settings.model.manifest) if settings.model.manifest else None)
    open_history(path).close()  # raises an error for a missing file, which HistoryStore would create
    session, segment, genre = int(wanted[1]), int(wanted[2]), wanted[3].strip() or None
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).correct(session, segment, genre, time.time()).detail


def _delete_all(path: Path, settings: Settings, *, confirmed: bool) -> str:
    _refuse_to_delete(path)
    try:
        with contextlib.closing(open_history(path)) as connection:
            sessions = len(read_sessions(connection, float("-inf"), time.time()))
            what = f"sessions: {sessions}, corrections: {len(read_corrections(connection))}"
    except (sqlite3.Error, HistoryError) as error:
        if not path.parent.is_dir() or not (path.is_file() or saved_clips(path) or quarantined_files(path)):
            raise HistoryError(str(error)) from error
        what = f"unread: {error}"
    if not confirmed:
        raise HistoryError(
            f"--delete-all deletes {path} for good ({what}, clips: {len(saved_clips(path))}); "
            "confirm it with --delete-all --yes"
        )
    manifest = ModelManifest.load(Path(settings.model.manifest) if settings.model.manifest else None)
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).delete_all(time.time()).detail


def _refuse_to_delete(path: Path) -> None:
    """Raise HistoryError if the file does not have the header of a history."""
    with contextlib.suppress(FileNotFoundError):
        try:
            check_header(path)
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"{path} is not a history ({error}); if it is a damaged one, delete it by hand"
            ) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise HistoryError(f"cannot read {path}: {error.strerror or error}") from error


def _print_sessions(
    connection: sqlite3.Connection, sessions: list[Record], path: Path, options: argparse.Namespace
) -> None:
    if options.csv:
        found = (read_session(connection, session["id"], time.time()) for session in sessions)
        _print_csv(found)
    elif options.json:
        for session in sessions:
            print(json.dumps(session, ensure_ascii=False))
    else:
        print("\n".join(map(_session_line, sessions)) if sessions else f"no such session in {path}")


def _print_session(session: Record, options: argparse.Namespace) -> None:
    if options.csv:
        _print_csv([session])
    else:
        print(json.dumps(session, ensure_ascii=False) if options.json else _session_text(session))


def _print_csv(sessions: Iterable[Record]) -> None:
    try:
        print(format_csv(convert(each, HistorySession, allow_unknown=True) for each in sessions), end="")
    except ValueError as error:
        raise HistoryError(f"the history has invalid values: {error}") from error


def parse_date(text: str) -> float:
    """Return the Unix seconds of a date, with or without a time. Without a zone, the time is local.

    Raises
    ------
    HistoryError
        If ``text`` is not a date.
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
    """Return segments and events in the order of their times, then the totals."""
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
