"""What the teacher heard, as targets: standardised values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.corpus import Corpus, Entry

Floats = npt.NDArray[np.float32]

MAX_DEVIATIONS: Final = 5.0
"""Deviations that a target may lie from the mean."""


@dataclass(frozen=True, slots=True)
class Standardizer:
    """Mean and deviation of each value that the teacher gives, (250,) float32."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, heard: Floats) -> Standardizer:
        """That of windows, (n, 250)."""
        return cls(heard.mean(axis=0), heard.std(axis=0) + np.float32(1e-3))

    def apply(self, heard: npt.NDArray[np.floating]) -> Floats:
        """Standardise and clip, (n, 250) float32."""
        result: Floats = np.clip(
            (heard - self.mean) / self.deviation, -MAX_DEVIATIONS, MAX_DEVIATIONS
        ).astype(np.float32)
        return result


def standardized_embeddings(corpus: Corpus, entries: Sequence[Entry]) -> dict[str, Floats]:
    """What the teacher heard in the music among ``entries``, by file: values of its windows, (n, 250)."""
    heard = {e.file: corpus.windows(e).heard.astype(np.float32) for e in entries if e.music}
    heard = {file: values for file, values in heard.items() if len(values)}
    if not heard:
        return {}
    standardizer = Standardizer.of(np.concatenate(list(heard.values())))
    return {file: standardizer.apply(values) for file, values in heard.items()}


TEACHER_SAMPLE_RATE: Final = 16_000
EMBEDDING_SIZE: Final = 250
"""Penultimate layer, 200 values after its normalization, and 50 logits of tags."""
