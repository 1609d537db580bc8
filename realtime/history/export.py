"""Export of label corrections and their audio as a training set."""

from __future__ import annotations

import csv
import io
import logging
import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.audio.file import AudioFile
from models.common.paths import atomic_write
from models.errors import OverheardError
from realtime.history.audio_buffer import FULL_SCALE, MAX_CLIP_SECONDS, AudioClip
from realtime.history.corrections import encode_wav, genre_folder_name, locate_clip
from realtime.history.errors import HistoryError, describe_error
from realtime.history.queries import read_corrections

logger = logging.getLogger(__name__)

TABLE_NAME = "corrections.csv"
COLUMNS = ("file", "genre", "provenance", "predicted")


def export_corrections(connection: sqlite3.Connection, path: Path, folder: Path) -> str:
    """Write the corrected audio as a training set for ``overheard train prepare``.

    Each correction becomes a WAV file in the folder of its genre. The table ``TABLE_NAME`` lists the files
    with the genre that the model predicted. Names of files hold the time of the segment, so they stay unique
    after the history was deleted.

    Parameters
    ----------
    connection : sqlite3.Connection
        Open history.
    path : Path
        File of the history.
    folder : Path
        New or empty folder.

    Returns
    -------
    str
        Number of corrections with audio and without, as a sentence for people.

    Raises
    ------
    HistoryError
        If there are no corrections, or if the folder is not empty or cannot be written.
    """
    corrections = read_corrections(connection)
    if not corrections:
        raise HistoryError(f"{path} has no corrections; make them on the page or with --correct")
    rows, unreadable = [], 0
    try:
        if folder.exists() and any(folder.iterdir()):
            raise HistoryError(f"{folder} is not empty; name a new folder")
        for correction in corrections:
            segment = _read_segment(connection, correction)
            try:
                content = _read_audio(path, correction["sound"], segment) if segment else b""
            except (OverheardError, OSError) as error:
                unreadable += 1
                logger.warning("session %d, segment %d: %s", *correction[:2], error)
                continue
            if not content or segment is None:
                continue
            started = datetime.fromtimestamp(segment["started"], UTC)
            number = f"{correction['session']}-{correction['number']}"
            name = f"{genre_folder_name(correction['genre'])}/{started:%Y%m%dT%H%M%S}-{number}.wav"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_write(folder / name, mode=0o600) as file:
                file.write(content)
            rows.append((name, correction["genre"], "corrections", segment["genre"] or ""))
        if rows:
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
            with atomic_write(folder / TABLE_NAME, mode=0o600) as table:
                table.write(text.getvalue().encode())
    except OSError as error:
        raise HistoryError(f"cannot write the corrections to {folder}: {describe_error(error)}") from error
    return _summarize(
        folder, Counter(genre for _, genre, *_ in rows), len(corrections) - len(rows), unreadable
    )


def read_clip(path: str, from_seconds: float, to_seconds: float) -> AudioClip:
    """Read the middle ``MAX_CLIP_SECONDS`` of a part of a file, mono at the sample rate of the file.

    Raises
    ------
    HistoryError
        If the file does not exist.
    AudioError
        If the file cannot be decoded.
    """
    if not os.path.isfile(path):
        raise HistoryError(f"{path} does not exist")
    extra = max(0.0, to_seconds - from_seconds - MAX_CLIP_SECONDS)
    parts = [np.zeros(0, np.float32)]
    position = 0
    with closing(AudioFile(path)) as file:
        first = round((from_seconds + extra / 2) * file.sample_rate)
        last = round((to_seconds - extra / 2) * file.sample_rate)
        for samples in file.blocks():
            parts.append(samples[max(0, first - position) : max(0, last - position)])
            position += len(samples)
            if position > last:
                break
    return AudioClip(np.round(np.concatenate(parts) * FULL_SCALE).astype(np.int16), file.sample_rate)


def _read_segment(connection: sqlite3.Connection, correction: sqlite3.Row) -> sqlite3.Row | None:
    segment: sqlite3.Row | None = connection.execute(
        "SELECT * FROM segments LEFT JOIN segment_audio USING (session, number) "
        "WHERE session = ? AND number = ?",
        (correction["session"], correction["number"]),
    ).fetchone()
    return segment


def _read_audio(path: Path, saved: str, segment: sqlite3.Row) -> bytes:
    """Return the WAV file of a correction, empty if the correction has no audio."""
    if not saved:
        return b""
    if os.path.isabs(saved):
        return encode_wav(read_clip(saved, segment["from_seconds"], segment["to_seconds"]))
    clip = locate_clip(path, saved)
    if clip is None:
        raise HistoryError(f"{saved!r:.200} is not a clip that this program saved")
    return clip.read_bytes()


def _summarize(folder: Path, genres: Counter[str], without: int, unreadable: int) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in sorted(genres.items()))
    text = f"corrections with audio: {genres.total()}{f' ({counts})' if counts else ''}; without: {without}"
    text += f" (files that cannot be read: {unreadable})" if unreadable else ""
    if not genres:
        return f"{text}; nothing was written"
    return f"{text}\nread them with: overheard train prepare --table {folder / TABLE_NAME}"
