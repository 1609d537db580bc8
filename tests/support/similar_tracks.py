"""Tables and indexes of tracks whose embeddings a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dashboard.library.index import SimilarityIndex
from models.manifest import ModelManifest
from realtime.library.analysis import build_row
from realtime.library.table import TrackTable
from realtime.library.track import LibraryTrack

MANIFEST = ModelManifest.load()
SETTINGS = "the model's hop, silence -60 dBFS for 2 s"


class Sound(NamedTuple):
    """Track of a test. ``angle`` is its direction in degrees, so that near angles sound alike.

    Tracks of the same length within 2 degrees are copies.
    """

    uri: str
    angle: float | None
    artist: str | None = None
    title: str | None = None
    seconds: float = 200.0
    label: str = "jazz"


def at_angle(angle: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return an embedding of length 1."""
    embedding = np.zeros(MANIFEST.embedding_size, np.float32)
    embedding[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return embedding


def write_sounds(table: Path, sounds: Sequence[Sound], model: str = MANIFEST.identity) -> Path:
    """Write tracks to a table as ``overheard library`` does. Files that exist are those of the rows."""
    with TrackTable(str(table), MANIFEST.labels, f"{model}, {SETTINGS}", MANIFEST.embedding_size) as written:
        written.write([_row(sound) for sound in sounds])
    return table


def _row(sound: Sound) -> dict[str, object]:
    track, path = LibraryTrack(sound.uri, 5, 7), Path(sound.uri)
    if path.is_file():
        status = path.stat()
        track = LibraryTrack(sound.uri, status.st_size, status.st_mtime_ns // 1000)
    music = {
        "artist": sound.artist,
        "title": sound.title,
        "duration_seconds": sound.seconds,
        "label": sound.label,
        "confidence": 0.9,
        "unsure": False,
        "probabilities": [0.1] * len(MANIFEST.labels),
        "windows": 3,
        "music_share": 1.0,
        "tags": [],
    }
    heard = {} if sound.angle is None else {"embedding": at_angle(sound.angle).tolist()}
    return build_row(track, music | heard)


def generated_index(
    tracks: int, artists: int = 5000, seed: int = 0, seconds: float | None = None
) -> SimilarityIndex:
    """Return an index of random embeddings, with names as long as usual, and random lengths unless given."""
    import pyarrow as pa

    random = np.random.default_rng(seed)
    embeddings = random.standard_normal((tracks, MANIFEST.embedding_size), np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    numbers = range(tracks)
    names = {
        "uri": pa.array(
            [f"/home/someone/Music/Artist {n % artists}/Album/{n:06} Song.flac" for n in numbers]
        ),
        "size": pa.array(np.full(tracks, 30_000_000)),
        "modified": pa.array(np.full(tracks, 1_700_000_000_000_000)),
        "artist": pa.array([f"Artist {n % artists}" for n in numbers]),
        "title": pa.array([f"Song {n}" for n in numbers]),
        "label": pa.array([MANIFEST.labels[n % len(MANIFEST.labels)] for n in numbers]),
        "duration_seconds": pa.array(
            random.uniform(120, 400, tracks) if seconds is None else np.full(tracks, seconds)
        ),
    }
    return SimilarityIndex(MANIFEST.identity, embeddings, pa.table(names))
