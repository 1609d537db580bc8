"""Ingestion of tracks into a cache of windows.

Each source of tracks yields jobs (``training.data.sources``, ``training.data.synthetic_noise``).
``ingest_tracks`` runs the jobs that the cache lacks, so a stopped run can resume.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import OverheardError
from training.data.corpus import INDEX_FILE, Corpus, Entry, write_index
from training.data.geometries import GEOMETRIES
from training.data.gtzan import LABELS
from training.data.targets import EMBEDDING_SIZE
from training.data.windows import TrackWindows, read_source_digest
from training.errors import DataError

FORMAT_VERSION = 4
"""Version of what a cached file holds. Raising it makes every file anew."""


Embed = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Function from windows at the teacher's rate to embeddings, such as ``TeacherEnsemble.embed``."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """One track to ingest: index entry, function that makes its windows, and digest of its sources."""

    entry: Entry
    make: Callable[[], TrackWindows]
    source_digest: str


def ingest_tracks(jobs: list[IngestJob], cache: Path, progress: Callable[[int, int], None]) -> list[str]:
    """Run the jobs whose windows the cache lacks or has from other sources, and update the index.

    Tracks of earlier runs stay in the index as long as their files exist. A track that cannot be read is
    left out and reported. A track whose audio equals another's byte for byte is marked as its duplicate.

    Parameters
    ----------
    jobs : list of IngestJob
    cache : Path
    progress : callable
        Called after each job as ``progress(done, total)``.

    Returns
    -------
    list of str
        One sentence for each track that was left out or is a duplicate, and one if a genre is not in
        ``LABELS``.

    Raises
    ------
    DataError
        If the index is damaged.
    """
    notes: list[str] = []
    listed = Corpus.load(cache).entries if (cache / INDEX_FILE).exists() else []
    entries = {each.file: each for each in listed if (cache / each.file).exists()}
    names: dict[tuple[str, str], str] = {}  # by source and digest of the first window
    paths: set[Path] = set()
    for number, job in enumerate(jobs, 1):
        path = cache / job.entry.file
        entry = job.entry
        try:
            if path in paths:
                raise DataError("another track has the same name; rename one of them")
            paths.add(path)
            windows = _load_cached(path, job.source_digest)
            if windows is None:
                entries.pop(entry.file, None)
                windows = job.make()
                windows.save(path, job.source_digest)
            digest = hashlib.sha256(_first_window_bytes(windows)).hexdigest()
        except OverheardError as error:
            notes.append(f"{entry.name} is left out: {error}")
        else:
            first = names.setdefault((entry.source, digest), entry.name)
            if first != entry.name and not entry.duplicate_of:
                entry = replace(entry, duplicate_of=first)
                notes.append(f"{entry.name} is a duplicate of {first}")
            entries[entry.file] = entry
        progress(number, len(jobs))
    write_index(cache, entries.values())
    others = [each.genre for each in entries.values() if each.genre and each.genre not in LABELS]
    if others:
        notes.append(
            f"{len(others)} tracks have a genre other than {', '.join(LABELS)}, and count as music of "
            f"unknown genre: {', '.join(sorted(set(others))[:10])}"
        )
    return notes


def _load_cached(path: Path, digest: str) -> TrackWindows | None:
    if read_source_digest(path) != digest:
        return None
    try:
        return TrackWindows.load(path)
    except DataError:  # a damaged file is made anew
        return None


def _first_window_bytes(windows: TrackWindows) -> bytes:
    for stored in (windows.live[:1, :1], windows.fine[:1, :1], windows.coarse[:1, :1], windows.long):
        if stored.size:
            return stored.tobytes()
    raise DataError("its file in the cache is empty; delete it and prepare again")


def source_digest(embedded: bool, *sources: Path | npt.NDArray[np.uint8]) -> str:
    """Hash everything that windows depend on: sources, teacher, geometries and format version.

    Parameters
    ----------
    embedded : bool
        True if the windows get teacher embeddings.
    sources : Path or array
        Audio files, of which name, size and time of change count, or published arrays.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    state = hashlib.sha256(repr((FORMAT_VERSION, embedded, GEOMETRIES)).encode())
    for source in sources:
        if isinstance(source, Path):
            status = source.stat() if source.exists() else None
            state.update(repr((source.name, status and (status.st_size, status.st_mtime_ns))).encode())
        else:
            state.update(source.tobytes())
    return state.hexdigest()[:16]


def no_embeddings() -> npt.NDArray[np.float16]:
    """Return the embeddings of a track that the teacher has not processed, (0, EMBEDDING_SIZE)."""
    return np.zeros((0, EMBEDDING_SIZE), np.float16)
