"""Small caches for tests, in which every genre is loud in its own band, so that networks can learn it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.holdout import is_held_out_artist, is_validation_artist
from training.cli import command
from training.data.corpus import INDEX_FILE, Corpus, Entry, write_index
from training.data.geometries import COARSE, FINE, LIVE
from training.data.gtzan import LABELS
from training.data.targets import EMBEDDING_SIZE
from training.data.windows import TrackWindows

Stored = npt.NDArray[np.uint8]


def columns(n: int, band: int, random: np.random.Generator) -> Stored:
    """Make ``n`` columns, louder in low bands and loudest in one of ten bands, (n, 256) uint8."""
    slope = np.linspace(120, 40, 256) + random.normal(0, 8, (n, 256))
    slope[:, 25 * band : 25 * band + 25] += 90
    stored: Stored = np.clip(slope, 0, 255).astype(np.uint8)
    return stored


def arrays_of(band: int, seed: int, *, long: int = 124) -> TrackWindows:
    """Make the cached windows of one of GTZAN's published arrays."""
    random = np.random.default_rng((band, seed))
    return TrackWindows(
        np.zeros((0, 1, LIVE.columns, 256), np.uint8),
        np.stack([[columns(FINE.columns, band, random)]]),
        np.zeros((0, 1, COARSE.columns, 256), np.uint8),
        np.zeros((0, EMBEDDING_SIZE), np.float16),
        columns(long, band, random) if long else np.zeros((0, 256), np.uint8),
    )


def recording_of(band: int, seed: int, *, windows: int = 2, embedding_size: int = 0) -> TrackWindows:
    """Make the cached windows of a recording."""
    random = np.random.default_rng((band, seed))
    return TrackWindows(
        np.stack([[columns(LIVE.columns, band, random)] * 2 for _ in range(windows)]),
        np.stack([[columns(FINE.columns, band, random)] * 2 for _ in range(windows)]),
        np.stack([[columns(COARSE.columns, band, random)] * 2 for _ in range(windows)]),
        random.normal(0, 1, (windows, embedding_size)).astype(np.float16)
        if embedding_size
        else np.zeros((0, EMBEDDING_SIZE), np.float16),
        np.zeros((0, 256), np.uint8),
    )


def entry(
    name: str, source: str = "gtzan", genre: str = "", artist: str = "", *, part: str = "", origin: str = "",
    music: bool = True, duplicate_of: str = "",
) -> Entry:  # fmt: skip
    """Make one line of an index. Its file is where ``training.data.ingest`` puts it."""
    return Entry(name, source, f"{source}/{name}.npz", genre, artist, part, origin, music, duplicate_of)


def cache(folder: Path, listed: Sequence[tuple[Entry, TrackWindows]]) -> Corpus:
    """Add entries and windows to a cache on disk, and return the whole corpus."""
    for each, windows in listed:
        windows.save(folder / each.file)
    before = Corpus.load(folder).entries if (folder / INDEX_FILE).exists() else []
    write_index(folder, [*before, *(each for each, _ in listed)])
    return Corpus.load(folder)


PARTS = ("train", "train", "valid", "test")


def stored(rows: int, width: int, band: int, seed: int) -> Stored:
    """Make one published array, (rows, width) uint8, loudest in the genre's band."""
    random = np.random.default_rng((band, seed))
    slope = np.linspace(150, 40, rows)[:, np.newaxis] + random.normal(0, 8, (rows, width))
    slope[rows * band // 10 : rows * (band + 1) // 10] += 80
    result: Stored = np.clip(slope, 0, 255).astype(np.uint8)
    return result


def write_gtzan(folder: Path) -> Path:
    """Write table and both arrays: four tracks per genre by different artists, and the test tracks alone."""
    names = [(f"{genre}.{n:05d}", band, n) for band, genre in enumerate(LABELS) for n in range(len(PARTS))]
    for file, rows, width in (("stft_first5s", 544, 57), ("stft_full30s", 129, 496)):
        db_u8 = np.stack([stored(rows, width, band, n) for _, band, n in names])
        track_id = np.array([name for name, _, _ in names])
        np.savez(folder / f"{file}.npz", track_id=track_id, db_u8=db_u8)
        tested = slice(3, None, len(PARTS))
        np.savez(folder / f"{file}_test.npz", track_id=track_id[tested], db_u8=db_u8[tested])
    rows_of = [f"{name},{LABELS[band]},{name},{PARTS[n]}," for name, band, n in names]
    head = "track_id,genre,artist,fault_filtered_split,duplicate_of"
    (folder / "tracks.csv").write_text("\n".join([head, *rows_of]) + "\n")
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    assert command(["prepare", "--cache", str(folder / "cache"), "--gtzan", str(write_gtzan(folder))]) == 0
    kept = next(name for name in (f"Artist {n}" for n in range(20)) if is_held_out_artist(name))
    selecting = next(
        name
        for name in (f"Artist {n}" for n in range(90))
        if is_validation_artist(name) and not is_held_out_artist(name, "songs")
    )
    listed = [
        (entry("kept.1", "more-music", "blues", kept), recording_of(0, 50)),
        (entry("kept.2", "more-music", "rock", kept), recording_of(9, 51)),
        (entry("song.1", "songs", "blues", selecting), recording_of(0, 55, embedding_size=EMBEDDING_SIZE)),
        (entry("song.2", "songs", "rock", selecting), recording_of(9, 56, embedding_size=EMBEDDING_SIZE)),
        *(
            (entry(f"{genre}.{n:05d}", "gtzan-audio", genre, f"{genre}.{n:05d}"), recording_of(band, n))
            for band, genre in enumerate(LABELS)
            for n in (2, 3)  # of the validation and of the test part
        ),
        (entry("speech-1", "clips", origin="speech pyAudioAnalysis", music=False), recording_of(3, 52)),
        (entry("music-1", "clips", origin="music pyAudioAnalysis"), recording_of(4, 53)),
        (entry("noise-1", "clips", origin="noise elsewhere", music=False), recording_of(5, 54)),
        *(
            (entry(f"embedded-{n}", "music"), recording_of(n, 60 + n, embedding_size=EMBEDDING_SIZE))
            for n in range(2)
        ),
    ]
    return cache(folder / "cache", listed)
