"""From logits to probabilities that mean what they say, fitted on validation tracks only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from models.metrics import Labels

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


def choose_confidence_threshold(
    probabilities: Floats, labels: Labels, *, wanted_accuracy: float = 0.8
) -> float:
    """Lowest confidence such that the answers from there up are right often enough.

    Never so high that less than a fifth of the answers are left: a threshold that rests on a handful
    of answers holds nowhere else.

    Parameters
    ----------
    probabilities : (n, genres) float64
        Calibrated.
    labels : (n,) int64

    Returns
    -------
    float
        0..1, rounded up to two digits; 0 when even all answers together are right often enough.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    running = np.cumsum(right) / np.arange(1, len(right) + 1)
    fewest = max(1, len(order) // 5)
    enough = np.flatnonzero(running[fewest - 1 :] >= wanted_accuracy)
    last = fewest - 1 + int(enough[-1]) if len(enough) else fewest - 1
    if last == len(order) - 1:
        return 0.0
    return float(np.ceil(confidence[order[last]] * 100) / 100)


def choose_music_threshold(music: npt.NDArray[np.floating], *, kept: float = 0.98) -> float:
    """Probability of music that all but a few windows of music reach.

    Parameters
    ----------
    music : (n,)
        The model's probability of music, of windows that are music.
    kept : float
        Share of them that must reach it.

    Returns
    -------
    float
        0..0.5, rounded down to two digits: more would cost real recordings more than the share says,
        for the windows it is fitted on are published arrays.
    """
    return float(min(0.5, np.floor(np.quantile(music, 1 - kept) * 100) / 100))
