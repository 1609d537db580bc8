"""Features of every track from the frozen backbone, computed once and cached on disk.

A head needs at most the mean over frequency, (8 times, 1280). Its mean over time is the global average
pooling of the study's heads.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from models.metrics import Labels
from models.spectrogram.spec import AudioSpec
from training.data.gtzan import Gtzan, GtzanTrack
from training.networks.pretrained import IMAGENET_SHA256

Features = npt.NDArray[np.float32]
BATCH_SIZE = 32
DEFAULT_CACHE = Path("build/features")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Tracks and their features, (n, 8, 1280) float32, in the same order."""

    tracks: tuple[GtzanTrack, ...]
    features: Features

    @property
    def labels(self) -> Labels:
        """Index of each track's genre in ``LABELS``, (n,) int64."""
        return np.array([track.label for track in self.tracks], dtype=np.int64)


def cache_key(gtzan: Gtzan, spec: AudioSpec) -> str:
    """Return 16 hexadecimal digits that change with the arrays, the geometry or the weights."""
    state = [gtzan.digest(), asdict(spec), IMAGENET_SHA256]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]


def cached_features(gtzan: Gtzan, spec: AudioSpec, cache: Path = DEFAULT_CACHE) -> Features:
    """Read every track's features from the cache, or compute and cache them.

    Parameters
    ----------
    gtzan : Gtzan
    spec : AudioSpec
    cache : Path
        Folder for ``<key>.npy``, created if missing. The key does not cover the code that draws the images:
        delete the folder after a change of that code.

    Returns
    -------
    (n, 8, 1280) float32
        Averaged over frequency, oldest step first.
    """
    path = cache / f"{cache_key(gtzan, spec)}.npy"
    if path.exists():
        _log.info("reading features from %s", path)
        return np.asarray(np.load(path), dtype=np.float32)
    _log.info("computing the features of %d images", len(gtzan.tracks))
    computed = compute_features(gtzan, spec)
    with atomic_write(path) as file:
        np.save(file, computed)
    return computed


def compute_features(gtzan: Gtzan, spec: AudioSpec) -> Features:
    """Compute every track's features. A thousand tracks take a few minutes on two cores.

    Returns
    -------
    (n, 8, 1280) float32
    """
    from training.networks.study import build_backbone

    model = build_backbone()
    parts = [model(batch, training=False).numpy().mean(axis=1) for batch in _image_batches(gtzan, spec)]
    return np.concatenate(parts).astype(np.float32)  # (n, 8, 1280)


def _image_batches(gtzan: Gtzan, spec: AudioSpec) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(gtzan.tracks), BATCH_SIZE):
        stop = min(start + BATCH_SIZE, len(gtzan.tracks))
        yield np.stack([gtzan.image(index, spec) for index in range(start, stop)])  # (<=32, 256, 256, 3)
