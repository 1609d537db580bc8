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
from realtime.cli.common import print_json
from realtime.config import Settings
from realtime.history.corrections import LabelCorrections, quarantined_files, saved_clips
from realtime.history.errors import HistoryError
from realtime.history.export import export_corrections
from realtime.history.location import find_path
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
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--session", type=int, metavar="N", help="show the segments, events and totals of session N"
    )
    action.add_argument("--since", metavar="DATE", help="list sessions that ended at DATE or later")
    action.add_argument(
        "--correct",
        metavar="SESSION/SEGMENT=GENRE",
        help="set the true genre of a segment; without a GENRE, remove the correction",
    )
    action.add_argument(
        "--export-corrections",
        metavar="FOLDER",
        help="write the clips of corrected segments for `overheard train prepare`",
    )
    action.add_argument(
        "--delete-all", action="store_true", help="delete the history with its corrections and clips"
    )
    parser.add_argument("--yes", action="store_true", help="confirm --delete-all")
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for each session, or one object with --session",
    )
    output.add_argument("--csv", action="store_true", help="print segments and events as a table")
    parser.add_argument("--file", metavar="FILE", help="history to read (default: the file of the settings)")
    config.add_options(parser)
    return parser


def command(arguments: Sequence[str]) -> int:
    """Show or change the history."""
    options = build_parser().parse_args(arguments)
    settings = config.load(options)
    setting = settings.history.history
    setting = "auto" if setting == "off" else setting  # earlier sessions can be read nevertheless
    path = Path(options.file) if options.file else find_path(setting)
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
    match = re.fullmatch(r"(\d{1,18})/(\d{1,18})=(.*)", text, re.ASCII)
    if match is None:
        raise HistoryError(
            f"--correct is {text!r}; it must be SESSION/SEGMENT=GENRE, such as 3/2=jazz; "
            "--session 3 --json shows the numbers"
        )
    manifest = _load_manifest(settings)
    open_history(path).close()  # raises an error for a missing file, which HistoryStore would create
    session, segment, genre = int(match[1]), int(match[2]), match[3].strip() or None
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).correct(session, segment, genre, time.time()).detail


def _load_manifest(settings: Settings) -> ModelManifest:
    return ModelManifest.load(Path(settings.model.manifest) if settings.model.manifest else None)


def _delete_all(path: Path, settings: Settings, *, confirmed: bool) -> str:
    _require_history_file(path)
    try:
        with contextlib.closing(open_history(path)) as connection:
            sessions = len(read_sessions(connection, float("-inf"), time.time()))
            contents = f"sessions: {sessions}, corrections: {len(read_corrections(connection))}"
    except (sqlite3.Error, HistoryError) as error:
        if not path.parent.is_dir() or not (path.is_file() or saved_clips(path) or quarantined_files(path)):
            raise HistoryError(str(error)) from error
        contents = f"unreadable: {error}"
    if not confirmed:
        raise HistoryError(
            f"--delete-all permanently deletes {path} ({contents}, clips: {len(saved_clips(path))}); "
            "confirm it with --delete-all --yes"
        )
    manifest = _load_manifest(settings)
    with contextlib.closing(HistoryStore(path)) as store:
        return LabelCorrections(store, manifest).delete_all(time.time()).detail


def _require_history_file(path: Path) -> None:
    """Raise HistoryError if the file exists but does not have the header of a history."""
    with contextlib.suppress(FileNotFoundError):
        try:
            check_header(path)
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"{path} is not a history ({error}); if it is a damaged history, delete the file yourself"
            ) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise HistoryError(f"cannot read {path}: {error.strerror or error}") from error


def _print_sessions(
    connection: sqlite3.Connection, sessions: list[Record], path: Path, options: argparse.Namespace
) -> None:
    if options.csv:
        _print_csv(read_session(connection, session["id"], time.time()) for session in sessions)
    elif options.json:
        for session in sessions:
            print_json(json.dumps(session, ensure_ascii=False))
    else:
        print("\n".join(map(_format_line, sessions)) if sessions else f"no such session in {path}")


def _print_session(session: Record, options: argparse.Namespace) -> None:
    if options.csv:
        _print_csv([session])
    else:
        if options.json:
            print_json(json.dumps(session, ensure_ascii=False))
        else:
            print(_format_session(session))


def _print_csv(sessions: Iterable[Record]) -> None:
    try:
        print(format_csv(convert(each, HistorySession, allow_unknown=True) for each in sessions), end="")
    except ValueError as error:
        raise HistoryError(f"the history has invalid values: {error}") from error


def parse_date(text: str) -> float:
    """Convert a date, with or without a time, to Unix seconds. Without a zone, the time is local.

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


def _format_line(session: Record) -> str:
    genres = ", ".join(f"{name} {_format_duration(s)}" for name, s in _list_totals(session["seconds"])[:3])
    status = " (running)" if session["running"] else " (broken off)" if session["broken_off"] else ""
    duration = _format_duration(_end(session) - session["started"])
    started, source = _format_time(session["started"]), _clean(session["source"])
    return f"{session['id']:>5}  {started}  {duration:>9}{status}  {source}  {genres}".rstrip()


def _format_session(session: Record) -> str:
    """Format segments and events in the order of their times, then the totals."""
    status = ", running" if session["running"] else ", broken off" if session["broken_off"] else ""
    lines = [
        f"session {session['id']}: {_clean(session['source'])}",
        f"{_format_time(session['started'])} to {_format_time(_end(session))}{status}",
        f"model {_clean(session['model'])} {_clean(session['model_version'])}".rstrip(),
        "",
    ]
    entries: list[tuple[float, str]] = []
    for segment in session["segments"]:
        name = segment["genre"] if segment["state"] == "LISTENING" else _format_state(segment["state"])
        confidence = "" if segment["confidence"] is None else f"  {segment['confidence']:.0%}"
        correction = f"  (corrected: {_clean(segment['correction'])})" if segment["correction"] else ""
        words = f"  {_clean(', '.join(segment['tags']))}" if segment["tags"] else ""
        duration = _format_duration(segment["seconds"])
        entries.append((segment["started"], f"{duration:>9}  {name}{confidence}{correction}{words}"))
    for event in session["events"]:
        detail = f": {_clean(event['detail'])}" if event["detail"] else ""
        entries.append((event["occurred_at"], f"{'':>9}  [{event['kind'].replace('_', ' ')}{detail}]"))
    lines += [f"{_format_time(at)}  {text}" for at, text in sorted(entries, key=lambda entry: entry[0])]
    total = sum(session["seconds"].values())
    lines += ["", "in total"]
    for name, seconds in _list_totals(session["seconds"]):
        lines.append(f"{_format_duration(seconds):>9}  {seconds / total:>4.0%}  {name}")
    return "\n".join(lines)


def _list_totals(seconds: dict[str, float]) -> list[tuple[str, float]]:
    """List the totals of a session, whose keys are genres and, in capitals, states."""
    return [(_format_state(name) if name.isupper() else name, value) for name, value in seconds.items()]


def _format_state(name: str) -> str:
    return name.lower().replace("_", " ")


def _end(session: Record) -> float:
    return float(session["last_seen_at"] if session["ended"] is None else session["ended"])


def _format_time(unix: float) -> str:
    return datetime.fromtimestamp(unix).isoformat(" ", "seconds")


def _format_duration(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))


def _clean(text: str) -> str:
    """Remove control characters from a text from outside, so that it cannot control the terminal."""
    return clean_text(text, replacement="?")
