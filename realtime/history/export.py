"""The history for other programs: corrections as a training set, segments as a table."""

from __future__ import annotations

import csv
import io
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.errors import OverheardError
from realtime.clock import SystemClock
from realtime.history.audio_buffer import MAX_CLIP_SECONDS, AudioClip
from realtime.history.corrections import encode_wav, genre_folder_name
from realtime.history.errors import HistoryError, reason
from realtime.history.queries import Record, read_corrections
from realtime.sources.file import FileSource

logger = logging.getLogger(__name__)

TABLE = "corrections.csv"
COLUMNS = ("file", "genre", "origin", "heard")

SEGMENT_COLUMNS = (
    "session", "number", "source", "started", "ended", "seconds", "state", "genre", "confidence",
    "correction",
)  # fmt: skip


def export_corrections(connection: sqlite3.Connection, path: Path, folder: Path) -> str:
    """Write corrected sound as ``overheard train prepare`` reads it, by ``--table`` or by ``--folder``.

    One WAV file a correction, sorted by genre, and a table of them with what the model had heard. Names tell
    the time, so that they stay apart when the history begins anew.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the history.
    path : Path
        Where the history lies.
    folder : Path
        A new or empty one.

    Returns
    -------
    str
        How many corrections have sound, and how many have none.

    Raises
    ------
    HistoryError
        There are no corrections, or the folder holds something or cannot be written.
    """
    corrections = read_corrections(connection)
    if not corrections:
        raise HistoryError(f"{path} holds no corrections; make them on the page or with --correct")
    rows, faults = [], 0
    try:
        if folder.exists() and any(folder.iterdir()):
            raise HistoryError(f"{folder} is not empty; name a new folder")
        for correction in corrections:
            segment = _segment(connection, correction)
            try:
                content = _content(path, correction["sound"], segment) if segment else b""
            except (OverheardError, OSError) as error:
                faults += 1
                logger.warning("session %d, segment %d: %s", *correction[:2], error)
                continue
            if not content or segment is None:
                continue
            at = datetime.fromtimestamp(segment["started"], UTC)
            number = f"{correction['session']}-{correction['number']}"
            file = f"{genre_folder_name(correction['genre'])}/{at:%Y%m%dT%H%M%S}-{number}.wav"
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
            rows.append((file, correction["genre"], "corrections", segment["genre"] or ""))
        if rows:
            with (folder / TABLE).open("w", encoding="utf-8", newline="") as file_:
                csv.writer(file_, lineterminator="\n").writerows([COLUMNS, *rows])
    except OSError as error:
        raise HistoryError(f"cannot write the corrections to {folder}: {reason(error)}") from error
    return _told(folder, Counter(genre for _, genre, *_ in rows), len(corrections) - len(rows), faults)


def segments_csv(sessions: Iterable[Record]) -> str:
    """Segments of sessions as CSV, with times as ISO 8601 in local time.

    Parameters
    ----------
    sessions : iterable of Record
        As ``read_session`` gives them.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, SEGMENT_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for session in sessions:
        for segment in session["segments"]:
            times = {
                name: datetime.fromtimestamp(segment[name]).astimezone().isoformat(timespec="milliseconds")
                for name in ("started", "ended")
            }
            told = {"session": session["id"], "source": _cell(session["source"])}
            writer.writerow(segment | told | times | {"seconds": round(segment["seconds"], 3)})
    return text.getvalue()


def read_clip(path: str, from_seconds: float, to_seconds: float) -> AudioClip:
    """The middle ``MAX_CLIP_SECONDS`` of a stretch of a file, mono at the file's rate.

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    extra = max(0.0, to_seconds - from_seconds - MAX_CLIP_SECONDS)
    source = FileSource(path, SystemClock())
    first = round((from_seconds + extra / 2) * source.sample_rate)
    last = round((to_seconds - extra / 2) * source.sample_rate)
    parts = [np.zeros(0, np.float32)]
    for block in source.blocks():
        parts.append(block.samples[max(0, first - block.position) : max(0, last - block.position)])
        if block.position > last:
            source.close()  # which ends the blocks
    return AudioClip(np.round(np.concatenate(parts) * 32_767).astype(np.int16), source.sample_rate)


def _segment(connection: sqlite3.Connection, correction: sqlite3.Row) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(
        "SELECT * FROM segments LEFT JOIN segment_audio USING (session, number) "
        "WHERE session = ? AND number = ?",
        (correction["session"], correction["number"]),
    ).fetchone()
    return found


def _content(path: Path, sound: str, segment: sqlite3.Row) -> bytes:
    """The WAV file of a correction, empty where it has no sound."""
    if not sound:
        return b""
    if not os.path.isabs(sound):
        return (path.parent / sound).read_bytes()
    return encode_wav(read_clip(sound, segment["from_seconds"], segment["to_seconds"]))


def _told(folder: Path, genres: Counter[str], without: int, faults: int) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in sorted(genres.items()))
    told = f"corrections with sound: {genres.total()}{f' ({counts})' if counts else ''}; without: {without}"
    told += f" ({faults} of them had some that cannot be read any more)" if faults else ""
    if not genres:
        return f"{told}; nothing was written"
    return f"{told}\nread them with: overheard train prepare --table {folder / TABLE}"


def _cell(text: str) -> str:
    """What a station calls itself must not be a formula to the program that opens the table."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
