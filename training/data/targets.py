"""Teacher embeddings as training targets, standardized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.corpus import Corpus, Entry

Floats = npt.NDArray[np.float32]

TEACHER_SAMPLE_RATE: Final = 16_000
"""Sample rate of the teacher's input, Hz."""

EMBEDDING_SIZE: Final = 250
"""Values of a teacher embedding: 200 of the normalized penultimate layer and 50 logits of tags."""

MAX_DEVIATIONS: Final = 5.0
"""Standard deviations from the mean at which targets are clipped."""


@dataclass(frozen=True, slots=True)
class Standardizer:
    """Mean and standard deviation of each value of the embeddings, (250,) float32."""

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, embeddings: Floats) -> Standardizer:
        """Measure mean and deviation over windows, (n, 250)."""
        return cls(embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-3))

    def apply(self, embeddings: npt.NDArray[np.floating]) -> Floats:
        """Standardize and clip embeddings, (n, 250) float32."""
        standardized = (embeddings - self.mean) / self.deviation
        result: Floats = np.clip(standardized, -MAX_DEVIATIONS, MAX_DEVIATIONS).astype(np.float32)
        return result


def standardized_embeddings(corpus: Corpus, entries: Sequence[Entry]) -> dict[str, Floats]:
    """Return the standardized embeddings of the music among ``entries``, (n, 250) by file.

    Tracks without embeddings are left out.
    """
    stored = {e.file: corpus.windows(e).embeddings.astype(np.float32) for e in entries if e.music}
    stored = {file: embeddings for file, embeddings in stored.items() if len(embeddings)}
    if not stored:
        return {}
    standardizer = Standardizer.fit(np.concatenate(list(stored.values())))
    return {file: standardizer.apply(embeddings) for file, embeddings in stored.items()}
