"""Small caches made for tests: every genre is bright in a band of its own, so that networks can learn it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.corpus import Corpus, Entry, append
from training.data.geometries import COARSE, FINE
from training.data.windows import Windows

Stored = npt.NDArray[np.uint8]


def columns(n: int, band: int, random: np.random.Generator) -> Stored:
    """``n`` columns, louder below than above and loudest in one of ten bands, (n, 256) uint8."""
    slope = np.linspace(120, 40, 256) + random.normal(0, 8, (n, 256))
    slope[:, 25 * band : 25 * band + 25] += 90
    stored: Stored = np.clip(slope, 0, 255).astype(np.uint8)
    return stored


def arrays_of(band: int, seed: int, *, long: int = 124) -> Windows:
    """What the cache holds of one of GTZAN's published arrays."""
    random = np.random.default_rng((band, seed))
    return Windows(
        np.stack([[columns(FINE.columns, band, random)]]),
        np.zeros((0, 1, COARSE.columns, 256), np.uint8),
        np.zeros((0, 250), np.float16),
        columns(long, band, random) if long else np.zeros((0, 256), np.uint8),
    )


def recording_of(band: int, seed: int, *, windows: int = 2, heard: int = 0) -> Windows:
    """What the cache holds of a recording."""
    random = np.random.default_rng((band, seed))
    return Windows(
        np.stack([[columns(FINE.columns, band, random)] * 2 for _ in range(windows)]),
        np.stack([[columns(COARSE.columns, band, random)] * 2 for _ in range(windows)]),
        random.normal(0, 1, (windows, heard)).astype(np.float16) if heard else np.zeros((0, 250), np.float16),
        np.zeros((0, 256), np.uint8),
    )


def entry(
    name: str, source: str = "gtzan", genre: str = "", artist: str = "", *, part: str = "", origin: str = "",
    music: bool = True, duplicate_of: str = "",
) -> Entry:  # fmt: skip
    """One line of an index; its file lies where ``training.data.ingest`` puts it."""
    return Entry(name, source, f"{source}/{name}.npz", genre, artist, part, origin, music, duplicate_of)


def cache(folder: Path, listed: Sequence[tuple[Entry, Windows]]) -> Corpus:
    """Add entries and windows to a cache on disk; return all of it."""
    for each, windows in listed:
        windows.save(folder / each.file)
    append(folder, [each for each, _ in listed])
    return Corpus.load(folder)
