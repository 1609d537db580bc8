"""From recordings and published arrays to one cache of windows, whole or not at all, resumable."""

from __future__ import annotations

import csv
import hashlib
import logging
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.audio.file import decode_file
from models.common.paths import resolve_beside
from models.errors import OverheardError
from models.spectrogram.stft import to_bands
from training.data.audio_files import read_artist
from training.data.corpus import INDEX_FILE, Corpus, Entry, normalize_genre, write_index
from training.data.geometries import COARSE, FINE, STORED_SHAPES
from training.data.gtzan import LABELS, TABLE_FILE
from training.data.windows import (
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    TrackWindows,
    cut_windows,
    degraded_columns,
    generator_for,
    source_digest_of,
)
from training.errors import DataError

AUDIO_SUFFIXES = frozenset({".wav", ".au", ".flac", ".ogg", ".mp3", ".m4a", ".opus", ".aiff", ".wma"})
MIN_JOINED_SECONDS = 10
CLIPS_TO_JOIN = 3
"""How long joined clips are where a table has their ``seconds``, and how many they are where it has not."""

FORMAT_VERSION = 3
"""To be raised with every change of what a file of the cache holds, so that it is made again."""

MAX_WINDOWS_PER_TRACK = 12
NON_MUSIC_KINDS = frozenset({"noise", "speech", "ambient", "silence"})
PROVENANCE_COLUMNS = ("provenance", "origin", "set")
"""Columns that tell recordings of one table apart: of exported corrections, of clips, of songs."""

GTZAN_FILE_NAME = re.compile(rf"(?:^|__)(?:{'|'.join(LABELS)})\.\d{{5}}(?:\.|$)")

_log = logging.getLogger(__name__)

Embed = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From windows at the teacher's rate to what it hears; see ``training.distillation.teacher.Teacher.hear``."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """One track to prepare: its line of the index, what makes its windows, and a digest of what of."""

    entry: Entry
    make: Callable[[], TrackWindows]
    made_from: str


def ingest(jobs: list[IngestJob], cache: Path, progress: Callable[[int, int], None]) -> list[str]:
    """Prepare what the cache lacks or has of other sound or settings; bring its index up to date.

    Tracks of earlier runs stay in the index as long as their files are there. A track that cannot be
    read is left out and reported; a track whose sound is another's byte for byte is marked as its
    duplicate.

    Parameters
    ----------
    jobs : list of Job
    cache : Path
    progress : callable
        Called with how many tracks are done, and of how many.

    Returns
    -------
    list of str
        One sentence for each track that was left out or is a duplicate, and one if genres are
        none of ``LABELS``.

    Raises
    ------
    DataError
        The index is damaged.
    """
    faults: list[str] = []
    listed = Corpus.load(cache).entries if (cache / INDEX_FILE).exists() else []
    entries = {each.file: each for each in listed if (cache / each.file).exists()}
    seen: dict[tuple[str, str], str] = {}
    taken: set[Path] = set()
    for number, job in enumerate(jobs, 1):
        path = cache / job.entry.file
        entry = job.entry
        try:
            if path in taken:
                raise DataError("another track has the same name; rename one of them")
            taken.add(path)
            windows = _load_cached(path, job.made_from)
            if windows is None:
                entries.pop(entry.file, None)
                windows = job.make()
                windows.save(path, job.made_from)
            first = hashlib.sha256(_first_window_bytes(windows)).hexdigest()
        except OverheardError as error:
            faults.append(f"{entry.name} is left out: {error}")
        else:
            other = seen.setdefault((entry.source, first), entry.name)
            if other != entry.name and not entry.duplicate_of:
                entry = replace(entry, duplicate_of=other)
                faults.append(f"{entry.name} is a duplicate of {other}")
            entries[entry.file] = entry
        progress(number, len(jobs))
    write_index(cache, entries.values())
    others = [each.genre for each in entries.values() if each.genre and each.genre not in LABELS]
    if others:
        faults.append(
            f"{len(others)} tracks have a genre that is none of {', '.join(LABELS)}, and count as music of "
            f"no known genre: {', '.join(sorted(set(others))[:10])}"
        )
    return faults


def _load_cached(path: Path, made: str) -> TrackWindows | None:
    if source_digest_of(path) != made:
        return None
    try:
        return TrackWindows.load(path)
    except DataError:  # made again
        return None


def source_digest(taught: bool, *sources: Path | npt.NDArray[np.uint8]) -> str:
    """16 hexadecimal digits that differ where windows would: other sound, teacher, pictures or recipe."""
    state = hashlib.sha256(repr((FORMAT_VERSION, taught, FINE, COARSE)).encode())
    for source in sources:
        if isinstance(source, Path):
            found = source.stat() if source.exists() else None
            state.update(repr((source.name, found and (found.st_size, found.st_mtime_ns))).encode())
        else:
            state.update(source.tobytes())
    return state.hexdigest()[:16]


def _first_window_bytes(windows: TrackWindows) -> bytes:
    for stored in (windows.fine[:1, :1], windows.coarse[:1, :1], windows.long):
        if stored.size:
            return stored.tobytes()
    raise DataError("its file in the cache is empty; delete it and prepare again")


def gtzan_jobs(folder: Path, hear: Embed | None) -> Iterator[IngestJob]:
    """Real GTZAN audio (``GENRE/GENRE.NNNNN.wav`` or ``.au``), published arrays, or both.

    Raises
    ------
    DataError
        The folder holds neither, or a table in it is damaged.
    """
    table = _read_table_by(folder / TABLE_FILE, "track_id")
    found = sorted(p for p in folder.glob("*/*") if p.suffix in (".wav", ".au") and p.parent.name in LABELS)
    arrays = [path for path in (folder / "stft_first5s.npz", folder / "stft_full30s.npz") if path.exists()]
    if not found and not arrays:
        raise DataError(
            f"{folder} holds neither {LABELS[0]}/{LABELS[0]}.00000.wav and the like nor stft_first5s.npz"
        )
    for path in found:
        yield _audio_job(_gtzan_entry(table, path.stem, "gtzan-audio", "audio"), path, hear)
    excerpts = _read_table_by(folder / "audio.csv", "file", "track_id")
    for name, row in excerpts.items():
        entry = _gtzan_entry(table, row["track_id"], "gtzan-audio", "excerpt")
        stem = Path(name).name.rsplit(".", 1)[0]
        yield _audio_job(replace(entry, file=f"gtzan-audio/{stem}.npz"), folder / name, hear)
    if arrays:
        yield from array_jobs(arrays, table)


def array_jobs(paths: list[Path], table: dict[str, dict[str, str]] | None = None) -> Iterator[IngestJob]:
    """Published arrays: ``track_id`` (n,) and ``db_u8`` (n, 544, 57) or (n, 129, 496).

    Raises
    ------
    DataError
        A file is not like that.
    """
    forms: dict[str, dict[str, npt.NDArray[np.uint8]]] = {}
    for path in paths:
        try:
            with path.open("rb") as opened, np.load(opened) as file:  # NumPy leaves a damaged one open
                names, stored = file["track_id"].tolist(), file["db_u8"]
            form = STORED_SHAPES[stored.shape[1:]]
            if len(names) != len(stored) or stored.dtype != np.uint8:
                raise ValueError(f"{len(names)} names for {len(stored)} arrays of {stored.dtype}")
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} does not hold track_id and db_u8 of (n, 544, 57) or (n, 129, 496): {error}"
            ) from error
        for name, array in zip(names, stored, strict=True):
            forms.setdefault(name, {})[form] = array
    for name, of in sorted(forms.items()):

        def make(of: dict[str, npt.NDArray[np.uint8]] = of) -> TrackWindows:
            fine, long = np.zeros((0, 1, FINE.columns, 256), np.uint8), np.zeros((0, 256), np.uint8)
            if "fine" in of:
                fine = _round_to_bytes(to_bands(of["fine"].T, FINE))[np.newaxis, np.newaxis]
            if "coarse" in of:
                long = _round_to_bytes(to_bands(of["coarse"].T, COARSE))
            return TrackWindows(fine, np.zeros((0, 1, COARSE.columns, 256), np.uint8), no_embeddings(), long)

        made = source_digest(False, *(of[form] for form in sorted(of)))
        yield IngestJob(_gtzan_entry(table or {}, name, "gtzan", "arrays"), make, made)


def folder_jobs(
    path: Path, hear: Embed | None, *, source: str = "folder", labelled: bool = True
) -> Iterator[IngestJob]:
    """Audio below a folder; with ``labelled`` the first folder's name is the genre.

    Artists are read from the files' tags; a track without one has no known artist.

    Raises
    ------
    DataError
        There is none, or it is GTZAN's, whose tracks would no longer be known as such.
    """
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    if not found:
        raise DataError(f"{path} holds no audio files ({', '.join(sorted(AUDIO_SUFFIXES))})")
    gtzans = [each for each in found if GTZAN_FILE_NAME.search(each.name.casefold())]
    if gtzans:
        raise DataError(
            f"{len(gtzans)} of {len(found)} files in {path} are named as GTZAN's tracks are, "
            f"{gtzans[0].name} for one; prepare those with --gtzan, or they might train and be scored as well"
        )
    for each in found:
        inside = each.relative_to(path)
        name = str(inside).replace("/", "__")
        if labelled and len(inside.parts) < 2:
            raise DataError(f"{each} lies in no genre's folder; sort it as {path}/GENRE/{each.name}")
        genre = normalize_genre(inside.parts[0]) if labelled else ""
        entry = Entry(name, source, f"{source}/{name}.npz", genre, read_artist(each))
        yield _audio_job(entry, each, hear)


def table_jobs(path: Path, hear: Embed | None) -> Iterator[IngestJob]:
    """A CSV table of files: ``file``, and ``genre`` or ``kind``.

    Files lie in the folder beside the table that has its name, or else beside the table itself.

    ``artist`` and one of ``PROVENANCE_COLUMNS`` are read where present. Of kinds that are no music, clips of
    one kind and origin are joined, since most are shorter than a window: to 10 s by the column
    ``seconds``, or else three at a time.

    Raises
    ------
    DataError
        The table is missing, damaged or lacks the columns.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; --table names a CSV file")
    rows = list({row["file"]: row for row in _read_rows(path) if row.get("file")}.values())
    if not rows or not ({"genre", "kind"} & rows[0].keys()):
        raise DataError(f"{path} is no table with the columns file and genre (or kind)")
    source = path.stem

    def kind(row: dict[str, str]) -> tuple[str, str]:
        return row.get("kind") or "music", next((row[name] for name in PROVENANCE_COLUMNS if name in row), "")

    for (what, origin), group in groupby(sorted(rows, key=kind), kind):
        if what not in NON_MUSIC_KINDS:
            for row in group:
                entry = Entry(
                    row["file"], source, f"{source}/{row['file']}.npz", normalize_genre(row.get("genre", "")),
                    row.get("artist", ""), origin=f"{what} {origin}" if "kind" in row else origin,
                )  # fmt: skip
                if what == "music":  # speech over music is neither
                    yield _audio_job(entry, resolve_beside(path, row["file"]), hear)
            continue
        for number, rows in enumerate(_join_clips(group, path)):
            clips = [resolve_beside(path, row["file"]) for row in rows]
            name = f"{what}-{origin.replace('/', '-')}-{number:03d}"
            entry = Entry(name, source, f"{source}/{name}.npz", origin=f"{what} {origin}", music=False)
            yield IngestJob(entry, partial(_windows_from_clips, clips, name), source_digest(False, *clips))


def _join_clips(rows: Iterable[dict[str, str]], path: Path) -> Iterator[list[dict[str, str]]]:
    """Rows of clips to join; what is left over only if it fills a window, as far as the table tells."""
    together: list[dict[str, str]] = []
    seconds, known = 0.0, True
    for row in rows:
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


def _windows_from_clips(paths: list[Path], name: str) -> TrackWindows:
    clips = []
    for path in paths:
        try:
            clips.append(decode_file(str(path), SAMPLE_RATE))
        except OverheardError as error:
            _log.warning("%s", error)
    seconds, least = sum(map(len, clips)) / SAMPLE_RATE, WINDOW_SAMPLES / SAMPLE_RATE
    if seconds < least:
        raise DataError(
            f"its {len(paths)} clips last {seconds:.1f} s together, and a window lasts {least:.1f} s; "
            "with a column seconds in the table more clips are joined"
        )
    return _make_windows(np.concatenate(clips), name, None)


def _audio_job(entry: Entry, path: Path, hear: Embed | None) -> IngestJob:
    return IngestJob(
        entry,
        lambda: _make_windows(decode_file(str(path), SAMPLE_RATE), entry.name, hear),
        source_digest(hear is not None, path),
    )


def _make_windows(samples: npt.NDArray[np.float32], name: str, hear: Embed | None) -> TrackWindows:
    import soxr

    from training.data.targets import TEACHER_SAMPLE_RATE as TEACHER_RATE

    windows = list(cut_windows(samples, MAX_WINDOWS_PER_TRACK, WINDOW_SAMPLES // 2))
    fine, coarse = degraded_columns(windows, generator_for(name))
    heard = no_embeddings()
    if hear:
        at_rate = [soxr.resample(window, SAMPLE_RATE, TEACHER_RATE) for window in windows]
        heard = hear(np.stack(at_rate)).astype(np.float16)
    return TrackWindows(fine, coarse, heard, np.zeros((0, 256), np.uint8))


def no_embeddings() -> npt.NDArray[np.float16]:
    """What stands for the teacher's values where it did not listen, (0, 250)."""
    from training.data.targets import EMBEDDING_SIZE

    return np.zeros((0, EMBEDDING_SIZE), np.float16)


def _round_to_bytes(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.round(columns).astype(np.uint8)


def _gtzan_entry(table: dict[str, dict[str, str]], name: str, source: str, origin: str) -> Entry:
    row = table.get(name, {})
    return Entry(
        name, source, f"{source}/{name}.npz", row.get("genre", name.split(".")[0]), row.get("artist", ""),
        row.get("fault_filtered_split", ""), origin, duplicate_of=row.get("duplicate_of", ""),
    )  # fmt: skip


def _read_table_by(path: Path, *columns: str) -> dict[str, dict[str, str]]:
    """Rows by the first of the columns, all of which must be there; nothing where there is no table."""
    if not path.exists():
        return {}
    rows = _read_rows(path)
    lacking = [column for column in columns if rows and column not in rows[0]]
    if lacking:
        raise DataError(f"{path} lacks the column {', '.join(lacking)}; take the published table")
    return {row[columns[0]]: row for row in rows if row[columns[0]]}


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table {path}: {error}; save it as CSV in UTF-8") from error
