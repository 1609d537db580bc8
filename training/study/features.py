"""Features of every picture from the frozen backbone, computed once and kept on disk.

All heads need at most the mean over frequency, (8 times, 1280); its mean over time is the global average
pooling of the study's heads.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from models.spectrogram.spec import AudioSpec
from training.data.gtzan import Gtzan
from training.networks.pretrained import IMAGENET_SHA256

Features = npt.NDArray[np.float32]
BATCH_SIZE = 32
DEFAULT_CACHE = Path("build/features")

_log = logging.getLogger(__name__)


def cache_key(gtzan: Gtzan, spec: AudioSpec) -> str:
    """Sixteen hex digits that change with the arrays, the picture's geometry or the weights."""
    what = [gtzan.digest(), asdict(spec), IMAGENET_SHA256]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def cached_features(gtzan: Gtzan, spec: AudioSpec, cache: Path = DEFAULT_CACHE) -> Features:
    """Compute every track's features, or read them if they were computed before.

    Parameters
    ----------
    cache : Path
        Folder for ``<key>.npy``; made if need be. The key does not see a change of the drawing
        code itself: delete the folder after one.

    Returns
    -------
    (n, 8, 1280) float32
        Oldest step first, averaged over frequency.
    """
    path = cache / f"{cache_key(gtzan, spec)}.npy"
    if path.exists():
        _log.info("features read from %s", path)
        return np.asarray(np.load(path), dtype=np.float32)
    _log.info("computing the features of %d pictures", len(gtzan.tracks))
    computed = compute_features(gtzan, spec)
    with atomic_write(path) as file:
        np.save(file, computed)
    return computed


def compute_features(gtzan: Gtzan, spec: AudioSpec) -> Features:
    """Compute every track's features: a few minutes for a thousand tracks on two cores.

    Returns
    -------
    (n, 8, 1280) float32
    """
    from training.networks.study import build_backbone

    model = build_backbone()
    parts = [model(batch, training=False).numpy().mean(axis=1) for batch in _batches(gtzan, spec)]
    return np.concatenate(parts).astype(np.float32)  # (n, 8, 1280)


def _batches(gtzan: Gtzan, spec: AudioSpec) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(gtzan.tracks), BATCH_SIZE):
        stop = min(start + BATCH_SIZE, len(gtzan.tracks))
        yield np.stack([gtzan.image(index, spec) for index in range(start, stop)])  # (<=32, 256, 256, 3)
