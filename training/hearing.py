"""What the teacher heard, as targets: standardised values, and the genres that they speak for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.corpus import Corpus, Entry
from training.teacher import UNITS

Floats = npt.NDArray[np.float32]

CLIP: Final = 5.0
"""Deviations that a target may lie from the mean."""

REGULARIZATION_C: Final = 0.01
"""The regression's C in scikit-learn, chosen on recordings of validation tracks."""


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
        result: Floats = np.clip((heard - self.mean) / self.deviation, -CLIP, CLIP).astype(np.float32)
        return result


class Hearing:
    """What the teacher heard in tracks that train, ready to be learnt from.

    Pseudo-labels come from the standardised values by a logistic regression on those training tracks
    whose genre is known; every track counts the same, and so does every genre.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        What trains; tracks that the teacher did not hear are left out.
    labels : sequence of str
    """

    def __init__(self, corpus: Corpus, entries: Sequence[Entry], labels: Sequence[str]) -> None:
        heard = {e.file: corpus.windows(e).heard.astype(np.float32) for e in entries if e.music}
        heard = {file: values for file, values in heard.items() if len(values)}
        self._values: dict[str, Floats] = {}
        self._pseudo_labels: dict[str, Floats] = {}
        if not heard:
            return
        standardizer = Standardizer.of(np.concatenate(list(heard.values())))
        self._values = {file: standardizer.apply(values) for file, values in heard.items()}
        known = [e for e in entries if e.file in heard and e.genre in labels]
        if len({e.genre for e in known}) < 2:
            return
        regression = self._regression(known, labels)
        for file, values in self._values.items():
            probabilities = np.zeros((len(values), len(labels)), np.float32)
            probabilities[:, regression.classes_] = regression.predict_proba(values)
            self._pseudo_labels[file] = probabilities

    def _regression(self, known: Sequence[Entry], labels: Sequence[str]) -> Any:
        from sklearn.linear_model import LogisticRegression

        windows = [self._values[e.file] for e in known]
        genres = [np.full(len(w), labels.index(e.genre)) for e, w in zip(known, windows, strict=True)]
        tracks = Counter(e.genre for e in known)
        each = len(known) / len(tracks)  # every genre weighs as much as this many tracks
        weights = np.concatenate(
            [np.full(len(w), each / tracks[e.genre] / len(w)) for e, w in zip(known, windows, strict=True)]
        )
        regression = LogisticRegression(C=REGULARIZATION_C, max_iter=500)
        return regression.fit(np.concatenate(windows), np.concatenate(genres), sample_weight=weights)

    def values(self, entry: Entry) -> Floats:
        """Standardised values of its windows, (n, 250); (0, 250) where the teacher did not hear it."""
        return self._values.get(entry.file, np.zeros((0, UNITS), np.float32))

    def pseudo_label(self, entry: Entry, window: int) -> Floats | None:
        """Probabilities of one window's genres, (genres,); None where the teacher cannot tell."""
        found = self._pseudo_labels.get(entry.file)
        return None if found is None else found[window]
