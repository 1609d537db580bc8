"""Sources of tracks for ingestion: GTZAN, published arrays, folders of audio and CSV tables of files."""

from __future__ import annotations

import csv
import logging
import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.audio.file import decode_file
from models.audio.formats import file_location, restriction_options
from models.common.paths import resolve_beside
from models.errors import OverheardError
from models.spectrogram.stft import to_bands
from training.data.corpus import Entry, normalize_genre
from training.data.geometries import COARSE, FINE, LIVE, STORED_SHAPES
from training.data.gtzan import COARSE_ARRAYS_FILE, FINE_ARRAYS_FILE, LABELS, TABLE_FILE
from training.data.ingest import Embed, IngestJob, no_embeddings, source_digest
from training.data.targets import TEACHER_SAMPLE_RATE
from training.data.windows import (
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    TrackWindows,
    cut_windows,
    degraded_columns,
    generator_for,
)
from training.errors import DataError

AUDIO_SUFFIXES = frozenset({".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a", ".opus", ".aiff", ".wma"})
NON_MUSIC_KINDS = frozenset({"noise", "speech", "ambient", "silence"})

PROVENANCE_COLUMNS = ("provenance", "origin", "set")
"""Columns of a table that name the set of a recording. The first that exists counts."""

MIN_JOINED_SECONDS = 10
"""Seconds that joined clips last together at least, if the table has a column ``seconds``."""
CLIPS_TO_JOIN = 3
"""Clips that are joined if the table has no column ``seconds``."""

MAX_WINDOWS_PER_TRACK = 12

GTZAN_FILE_NAME = re.compile(rf"(?:^|__)(?:{'|'.join(LABELS)})\.\d{{5}}(?:\.|$)")

_log = logging.getLogger(__name__)

Rows = dict[str, dict[str, str]]
"""Rows of a CSV table by the value of one column."""


def gtzan_jobs(folder: Path, embed: Embed | None) -> Iterator[IngestJob]:
    """Yield jobs for GTZAN's audio (``GENRE/GENRE.NNNNN.wav`` or ``.au``) and for its published arrays.

    Raises
    ------
    DataError
        If the folder holds neither, or if a table in it is damaged.
    """
    table = _read_table_by(folder / TABLE_FILE, "track_id")
    recordings = sorted(
        path for path in folder.glob("*/*") if path.suffix in (".wav", ".au") and path.parent.name in LABELS
    )
    arrays = [folder / name for name in (FINE_ARRAYS_FILE, COARSE_ARRAYS_FILE) if (folder / name).exists()]
    if not recordings and not arrays:
        raise DataError(
            f"{folder} holds neither {LABELS[0]}/{LABELS[0]}.00000.wav and the like nor {FINE_ARRAYS_FILE}"
        )
    for path in recordings:
        yield _audio_job(_gtzan_entry(table, path.stem, "gtzan-audio", "audio"), path, embed)
    excerpts = _read_table_by(folder / "audio.csv", "file", "track_id")
    for name, row in excerpts.items():
        entry = _gtzan_entry(table, row["track_id"], "gtzan-audio", "excerpt")
        stem = Path(name).name.rsplit(".", 1)[0]
        yield _audio_job(replace(entry, file=f"gtzan-audio/{stem}.npz"), folder / name, embed)
    if arrays:
        yield from array_jobs(arrays, table)


def array_jobs(paths: list[Path], table: Rows | None = None) -> Iterator[IngestJob]:
    """Yield jobs for published arrays: ``track_id`` (n,) and ``db_u8`` (n, 544, 57) or (n, 129, 496).

    Raises
    ------
    DataError
        If a file holds other arrays.
    """
    arrays_of: dict[str, dict[str, npt.NDArray[np.uint8]]] = {}
    for path in paths:
        try:
            with path.open("rb") as opened, np.load(opened) as file:  # NumPy leaves a damaged file open
                names, stored = file["track_id"].tolist(), file["db_u8"]
            geometry = STORED_SHAPES[stored.shape[1:]]
            if len(names) != len(stored) or stored.dtype != np.uint8:
                raise ValueError(f"{len(names)} names for {len(stored)} arrays of {stored.dtype}")
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} does not hold track_id and db_u8 of (n, 544, 57) or (n, 129, 496): {error}"
            ) from error
        for name, array in zip(names, stored, strict=True):
            arrays_of.setdefault(name, {})[geometry] = array
    for name, arrays in sorted(arrays_of.items()):
        digest = source_digest(False, *(arrays[geometry] for geometry in sorted(arrays)))
        yield IngestJob(
            _gtzan_entry(table or {}, name, "gtzan", "arrays"), partial(_windows_of_arrays, arrays), digest
        )


def _windows_of_arrays(arrays: dict[str, npt.NDArray[np.uint8]]) -> TrackWindows:
    fine, long = np.zeros((0, 1, FINE.columns, 256), np.uint8), np.zeros((0, 256), np.uint8)
    if "fine" in arrays:
        fine = _round_to_bytes(to_bands(arrays["fine"].T, FINE))[np.newaxis, np.newaxis]
    if "coarse" in arrays:
        long = _round_to_bytes(to_bands(arrays["coarse"].T, COARSE))
    live, coarse = (np.zeros((0, 1, spec.columns, 256), np.uint8) for spec in (LIVE, COARSE))
    return TrackWindows(live, fine, coarse, no_embeddings(), long)


def folder_jobs(
    folder: Path, embed: Embed | None, *, source: str = "folder", labelled: bool = True
) -> Iterator[IngestJob]:
    """Yield jobs for the audio files below a folder. If ``labelled``, the first folder's name is the genre.

    Artists are read from the files' tags. A track without an artist tag has an unknown artist.

    Raises
    ------
    DataError
        If there is no audio file, or if the files are GTZAN's, which could then be trained on and evaluated.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        raise DataError(f"{folder} holds no audio files ({', '.join(sorted(AUDIO_SUFFIXES))})")
    gtzans = [path for path in found if GTZAN_FILE_NAME.search(path.name.casefold())]
    if gtzans:
        raise DataError(
            f"{len(gtzans)} of {len(found)} files in {folder} have names of GTZAN's tracks, such as "
            f"{gtzans[0].name}; prepare them with --gtzan, so that no track is both trained on and evaluated"
        )
    for path in found:
        inside = path.relative_to(folder)
        name = str(inside).replace("/", "__")
        if labelled and len(inside.parts) < 2:
            raise DataError(f"{path} is in no genre's folder; move it to {folder}/GENRE/{path.name}")
        genre = normalize_genre(inside.parts[0]) if labelled else ""
        entry = Entry(name, source, f"{source}/{name}.npz", genre, _read_artist(path))
        yield _audio_job(entry, path, embed)


def _read_artist(path: Path) -> str:
    """Return the artist in the tags of an audio file, or an empty string if there is none."""
    import av
    import av.error

    try:
        with av.open(
            file_location(str(path)), container_options=restriction_options("file"), metadata_errors="ignore"
        ) as container:
            tags = dict(container.metadata)
            for stream in container.streams.audio[:1]:  # Ogg keeps its tags in the stream
                tags |= stream.metadata
    except (av.error.FFmpegError, OSError, ValueError):
        return ""
    return next((value.strip() for key, value in tags.items() if key.casefold() == "artist"), "")


def table_jobs(path: Path, embed: Embed | None) -> Iterator[IngestJob]:
    """Yield jobs for a CSV table of files with the columns ``file`` and ``genre`` or ``kind``.

    A file lies in the folder beside the table that has the table's name, or else beside the table itself.
    The columns ``artist`` and one of ``PROVENANCE_COLUMNS`` are optional. Most non-music clips are shorter
    than a window, so clips of one kind and origin are joined: to 10 s according to the column ``seconds``,
    or else three at a time.

    Raises
    ------
    DataError
        If the table is missing or damaged, or if it lacks the columns.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; --table names a CSV file")
    rows = list({row["file"]: row for row in _read_rows(path) if row.get("file")}.values())
    if not rows or not ({"genre", "kind"} & rows[0].keys()):
        raise DataError(f"{path} is no table with the columns file and genre (or kind)")
    source = path.stem

    def kind_and_origin(row: dict[str, str]) -> tuple[str, str]:
        return row.get("kind") or "music", next((row[name] for name in PROVENANCE_COLUMNS if name in row), "")

    for (kind, origin), group in groupby(sorted(rows, key=kind_and_origin), kind_and_origin):
        if kind not in NON_MUSIC_KINDS:
            for row in group:
                entry = Entry(
                    row["file"], source, f"{source}/{row['file']}.npz", normalize_genre(row.get("genre", "")),
                    row.get("artist", ""), origin=f"{kind} {origin}" if "kind" in row else origin,
                )  # fmt: skip
                if kind == "music":  # speech over music counts as neither
                    yield _audio_job(entry, resolve_beside(path, row["file"]), embed)
            continue
        for number, rows in enumerate(_join_clips(group, path)):
            clips = [resolve_beside(path, row["file"]) for row in rows]
            name = f"{kind}-{origin.replace('/', '-')}-{number:03d}"
            entry = Entry(name, source, f"{source}/{name}.npz", origin=f"{kind} {origin}", music=False)
            digest = source_digest(embed is not None, *clips)
            yield IngestJob(entry, partial(_windows_of_clips, clips, name, embed), digest)


def _join_clips(group: Iterable[dict[str, str]], path: Path) -> Iterator[list[dict[str, str]]]:
    """Group rows of clips to join. The last group is dropped if its known seconds do not fill a window."""
    together: list[dict[str, str]] = []
    seconds, known = 0.0, True
    for row in group:
        together.append(row)
        try:
            seconds += float(row.get("seconds") or "nan")
        except ValueError as error:
            raise DataError(
                f"{path} gives {row['file']} {row['seconds']!r} seconds; write a number or nothing"
            ) from error
        known = not math.isnan(seconds)
        if seconds >= MIN_JOINED_SECONDS or (not known and len(together) >= CLIPS_TO_JOIN):
            yield together
            together, seconds, known = [], 0.0, True
    if together and (not known or seconds >= WINDOW_SAMPLES / SAMPLE_RATE):
        yield together


def _windows_of_clips(paths: list[Path], name: str, embed: Embed | None) -> TrackWindows:
    clips, decoded = [], []
    for path in paths:
        try:
            clips.append(decode_file(str(path), SAMPLE_RATE))
            decoded.append(path)
        except OverheardError as error:
            _log.warning("%s", error)
    seconds, window_seconds = sum(map(len, clips)) / SAMPLE_RATE, WINDOW_SAMPLES / SAMPLE_RATE
    if seconds < window_seconds:
        raise DataError(
            f"its {len(paths)} clips last {seconds:.1f} s together, and a window {window_seconds:.1f} s; "
            "add a column seconds to the table, so that more clips are joined"
        )
    windows = _windows_of_samples(np.concatenate(clips), name)
    return windows if embed is None else _with_embeddings(windows, decoded, embed)


def _audio_job(entry: Entry, path: Path, embed: Embed | None) -> IngestJob:
    return IngestJob(
        entry,
        lambda: _windows_of_file(path, entry.name, embed),
        source_digest(embed is not None, path),
    )


def _windows_of_file(path: Path, name: str, embed: Embed | None) -> TrackWindows:
    windows = _windows_of_samples(decode_file(str(path), SAMPLE_RATE), name)
    return windows if embed is None else _with_embeddings(windows, [path], embed)


def _with_embeddings(windows: TrackWindows, paths: list[Path], embed: Embed) -> TrackWindows:
    """Add the teachers' values of the windows. The teachers get the band above 11 kHz too."""
    samples = np.concatenate([decode_file(str(path), TEACHER_SAMPLE_RATE) for path in paths])
    heard = list(cut_windows(samples, MAX_WINDOWS_PER_TRACK, sample_rate=TEACHER_SAMPLE_RATE))
    if len(heard) != len(windows.live):
        raise DataError(f"it has {len(windows.live)} windows, but {len(heard)} at {TEACHER_SAMPLE_RATE} Hz")
    return replace(windows, embeddings=embed(np.stack(heard)).astype(np.float16))


def _windows_of_samples(samples: npt.NDArray[np.float32], name: str) -> TrackWindows:
    windows = list(cut_windows(samples, MAX_WINDOWS_PER_TRACK))
    columns = degraded_columns(windows, generator_for(name))
    return TrackWindows(**columns, embeddings=no_embeddings(), long=np.zeros((0, 256), np.uint8))


def _round_to_bytes(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.round(columns).astype(np.uint8)


def _gtzan_entry(table: Rows, name: str, source: str, origin: str) -> Entry:
    row = table.get(name, {})
    return Entry(
        name, source, f"{source}/{name}.npz", row.get("genre", name.split(".")[0]), row.get("artist", ""),
        row.get("fault_filtered_split", ""), origin, duplicate_of=row.get("duplicate_of", ""),
    )  # fmt: skip


def _read_table_by(path: Path, *columns: str) -> Rows:
    """Read rows by the first of ``columns``, all of which must exist. A missing table has no rows."""
    if not path.exists():
        return {}
    rows = _read_rows(path)
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing:
        raise DataError(f"{path} lacks the column {', '.join(missing)}; take the published table")
    return {row[columns[0]]: row for row in rows if row[columns[0]]}


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table {path}: {error}; save it as CSV in UTF-8") from error
