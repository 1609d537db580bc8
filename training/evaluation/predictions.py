"""Predictions of a model for the windows of an evaluation set, and their combination per track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from models.metrics import Floats, Labels, negative_log_likelihood
from training.data.augmentation import Intensities, render
from training.data.eval_sets import EvalSet
from training.evaluation.calibration import fit_temperature


def predict_logits(network: Any, intensities: Intensities) -> npt.NDArray[np.float32]:
    """Compute a Keras network's logits of images, (n, genres + 1) float32."""
    batches = (intensities[start : start + 64] for start in range(0, len(intensities), 64))
    return np.concatenate([network.predict_on_batch(render(batch))[0] for batch in batches])


def mean_by_track(values: Floats, track: Labels) -> Floats:
    """Average values of windows, (windows, n), over the windows of each track, (tracks, n)."""
    total = np.zeros((int(track[-1]) + 1, values.shape[1]))
    np.add.at(total, track, values)
    result: Floats = total / np.bincount(track)[:, np.newaxis]
    return result


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits of one model for an evaluation set.

    Attributes
    ----------
    logits : (windows, genres + 1)
        The last one is that of "music".
    eval_set : EvalSet
    """

    logits: npt.NDArray[np.floating]
    eval_set: EvalSet

    def probabilities(self, temperature: float) -> Floats:
        """Return the calibrated probabilities of each window, (windows, genres)."""
        return softmax(self.logits[:, :-1].astype(np.float64) / temperature)

    @property
    def music_probability(self) -> Floats:
        """Probability of music of each window, (windows,)."""
        result: Floats = 1 / (1 + np.exp(-self.logits[:, -1].astype(np.float64)))
        return result

    def first_windows(self, temperature: float) -> Floats:
        """Return the probabilities of each track's first window, (tracks, genres)."""
        first = np.searchsorted(self.eval_set.track, np.arange(len(self.eval_set.labels)))
        return self.probabilities(temperature)[first]

    def track_means(self, temperature: float) -> Floats:
        """Return the mean probabilities over each track's windows, (tracks, genres)."""
        return mean_by_track(self.probabilities(temperature), self.eval_set.track)

    def accuracies(self) -> tuple[float, float]:
        """Return the accuracy of first windows and of track means.

        The temperature is 1, because the best temperature of this part would depend on its labels.
        """
        first, track = (
            probabilities.argmax(axis=1) == self.eval_set.labels
            for probabilities in (self.first_windows(1.0), self.track_means(1.0))
        )
        return float(first.mean()), float(track.mean())

    def best_temperature(self) -> float:
        """Return the temperature with the lowest negative log-likelihood over all windows."""
        return fit_temperature(self.logits[:, :-1].astype(np.float64), self.window_labels)

    def lowest_loss(self) -> float:
        """Return the negative log-likelihood at the best temperature, NaN if a logit is not finite."""
        if not np.isfinite(self.logits).all():
            return float("nan")
        return negative_log_likelihood(self.probabilities(self.best_temperature()), self.window_labels)

    @property
    def window_labels(self) -> Labels:
        """True label of each window, (windows,)."""
        return self.eval_set.labels[self.eval_set.track]
