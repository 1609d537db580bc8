"""What a model says of a part, window by window, and what that amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from models.metrics import negative_log_likelihood
from training.data.eval_sets import EvalSet
from training.evaluation.calibration import fit_temperature

SMOOTHED_WINDOWS: Final = 3
"""Windows, half a window apart, whose mean stands for the live average when its threshold is chosen."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits of one model on one part in one form, (windows, genres + 1), and what they belong to."""

    logits: npt.NDArray[np.floating]
    scored: EvalSet

    def probabilities(self, temperature: float) -> Floats:
        """Calibrated probabilities of each window, (windows, genres)."""
        return softmax(self.logits[:, :-1].astype(np.float64) / temperature)

    @property
    def music(self) -> Floats:
        """Probability of music of each window, (windows,)."""
        result: Floats = 1 / (1 + np.exp(-self.logits[:, -1].astype(np.float64)))
        return result

    def first(self, temperature: float) -> Floats:
        """Those of each track's first window, (tracks, genres)."""
        place = np.searchsorted(self.scored.track, np.arange(len(self.scored.labels)))
        return self.probabilities(temperature)[place]

    def together(self, temperature: float) -> Floats:
        """The mean over each track's windows, (tracks, genres)."""
        total = np.zeros((len(self.scored.labels), self.logits.shape[1] - 1))
        np.add.at(total, self.scored.track, self.probabilities(temperature))
        return total / np.bincount(self.scored.track)[:, np.newaxis]

    def smoothed(self, temperature: float) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Means over three neighbouring windows, 10 s of sound, about what the live average holds.

        Returns
        -------
        (n, genres) float64, (n,) int64
            Probabilities and the genres that they should name.
        """
        means, labels = [], []
        probabilities = self.probabilities(temperature)
        for track, label in enumerate(self.scored.labels):
            own = probabilities[self.scored.track == track]
            together = min(SMOOTHED_WINDOWS, len(own))
            places = range(len(own) - together + 1)
            means += [own[place : place + together].mean(axis=0) for place in places]
            labels += [int(label)] * len(places)
        return np.stack(means), np.array(labels)

    def accuracies(self) -> tuple[float, float]:
        """Share of tracks whose first window is right, and of those whose windows together are.

        At temperature 1, for one that suits this part best would have seen its labels.
        """
        first, together = (
            p.argmax(axis=1) == self.scored.labels for p in (self.first(1.0), self.together(1.0))
        )
        return float(first.mean()), float(together.mean())

    def best_temperature(self) -> float:
        """The one at which all windows have the lowest negative log-likelihood."""
        return fit_temperature(self.logits[:, :-1].astype(np.float64), self._labels_of_windows)

    def lowest_loss(self) -> float:
        """Negative log-likelihood of all windows at their best temperature; NaN where a logit is none."""
        if not np.isfinite(self.logits).all():
            return float("nan")
        return negative_log_likelihood(self.probabilities(self.best_temperature()), self._labels_of_windows)

    @property
    def _labels_of_windows(self) -> npt.NDArray[np.int64]:
        return self.scored.labels[self.scored.track]
