"""From logits to probabilities that mean what they say, fitted on validation tracks only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from training.train import Labels

Floats = npt.NDArray[np.float64]


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Temperature with the lowest negative log-likelihood (Guo et al., 2017).

    Parameters
    ----------
    logits : (n, genres) float64
    labels : (n,) int64

    Returns
    -------
    float
        Between 0.05 and 20; above 1 where the network was too sure of itself.
    """
    rows = np.arange(len(labels))

    def loss(temperature: float) -> float:
        probabilities = softmax(logits / temperature)
        return float(-np.log(np.maximum(probabilities[rows, labels], 1e-300)).mean())

    return float(min(np.geomspace(0.05, 20, 1200), key=loss))  # steps of 0.5 %


def choose_unsure_below(probabilities: Floats, labels: Labels, *, wanted_accuracy: float = 0.5) -> float:
    """Confidence under which the top answer is more often wrong than right.

    Tracks are taken from the least confident up in growing groups: the threshold is the highest
    confidence such that the answers below it reach less than ``wanted_accuracy`` together, and never
    higher than the median confidence, so that the model still answers for half of what it hears.

    Parameters
    ----------
    probabilities : (n, genres) float64
        Calibrated.
    labels : (n,) int64

    Returns
    -------
    float
        0..1, rounded to two digits; 0 when even the least confident answers are good enough.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    running = np.cumsum(right) / np.arange(1, len(right) + 1)
    half = len(order) // 2
    poor = np.flatnonzero(running[:half] < wanted_accuracy)
    if not len(poor):
        return 0.0
    return round(float(confidence[order[poor[-1]]]), 2)
