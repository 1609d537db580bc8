"""Teacher embeddings as training targets, standardized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.corpus import Corpus, Entry

Floats = npt.NDArray[np.float32]

TEACHER_SAMPLE_RATE: Final = 32_000
"""Sample rate of the windows that the teachers get, Hz."""

TARGET_BLOCKS: Final = {
    "vgg": 256, "vgg_tags": 50, "musicnn": 200, "musicnn_tags": 50,
    "efficientat": 384, "efficientat_classes": 157, "yamnet": 1024, "yamnet_classes": 154,
}  # fmt: skip
"""Number of values of each teacher's embedding and of its tag or class logits, in their order."""

EMBEDDING_SIZE: Final = sum(TARGET_BLOCKS.values())
"""Values of all teachers for one window: 2,275."""

MAX_DEVIATIONS: Final = 5.0
"""Standard deviations from the mean at which targets are clipped."""


@dataclass(frozen=True, slots=True)
class Standardizer:
    """Mean and standard deviation of each value of the embeddings, (EMBEDDING_SIZE,) float32."""

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, embeddings: Floats) -> Standardizer:
        """Measure mean and deviation over windows, (n, EMBEDDING_SIZE)."""
        return cls(embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-3))

    def apply(self, embeddings: npt.NDArray[np.floating]) -> Floats:
        """Standardize and clip embeddings, (n, EMBEDDING_SIZE) float32."""
        standardized = (embeddings - self.mean) / self.deviation
        result: Floats = np.clip(standardized, -MAX_DEVIATIONS, MAX_DEVIATIONS).astype(np.float32)
        return result


def standardized_embeddings(corpus: Corpus, entries: Sequence[Entry]) -> dict[str, Floats]:
    """Return the standardized embeddings of the music among ``entries``, (n, EMBEDDING_SIZE) by file.

    Tracks without embeddings are left out.
    """
    stored = {e.file: corpus.windows(e).embeddings.astype(np.float32) for e in entries if e.music}
    stored = {file: embeddings for file, embeddings in stored.items() if len(embeddings)}
    if not stored:
        return {}
    standardizer = Standardizer.fit(np.concatenate(list(stored.values())))
    return {file: standardizer.apply(embeddings) for file, embeddings in stored.items()}


def target_weights() -> Floats:
    """Return the weights of the values in a mean, (EMBEDDING_SIZE,) float32 with mean 1.

    Every block has the same weight in total, however many values it has.
    """
    shares = [np.full(size, 1 / size) for size in TARGET_BLOCKS.values()]
    weights = np.concatenate(shares)
    result: Floats = (weights / weights.mean()).astype(np.float32)
    return result


def split_blocks(values: npt.NDArray[np.floating]) -> dict[str, npt.NDArray[np.floating]]:
    """Split the values of windows, (n, EMBEDDING_SIZE), into the ``TARGET_BLOCKS`` by name."""
    ends = np.cumsum(list(TARGET_BLOCKS.values()))
    return dict(zip(TARGET_BLOCKS, np.split(values, ends[:-1], axis=1), strict=True))
