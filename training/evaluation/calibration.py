"""Calibration of probabilities and thresholds, fitted on validation tracks only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from models.metrics import Floats, Labels


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Find the temperature with the lowest negative log-likelihood (Guo et al., 2017).

    Parameters
    ----------
    logits : (n, genres) float64
    labels : (n,) int64

    Returns
    -------
    float
        0.05 to 20. A value above 1 means that the network was overconfident.
    """
    rows = np.arange(len(labels))

    def loss(temperature: float) -> float:
        probabilities = softmax(logits / temperature)
        return float(-np.log(np.maximum(probabilities[rows, labels], 1e-300)).mean())

    return float(min(np.geomspace(0.05, 20, 1200), key=loss))  # steps of 0.5 %


def choose_confidence_threshold(
    probabilities: Floats, labels: Labels, *, wanted_accuracy: float = 0.8
) -> float:
    """Find the lowest confidence above which the predictions reach an accuracy.

    At least a fifth of the predictions stay above the threshold. A threshold that rests on a handful of
    predictions does not hold for other data.

    Parameters
    ----------
    probabilities : (n, genres) float64
        Calibrated.
    labels : (n,) int64
    wanted_accuracy : float

    Returns
    -------
    float
        0..1, rounded up to two digits. 0 if all predictions together reach the accuracy.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    correct = (probabilities.argmax(axis=1) == labels)[order]
    accuracy = np.cumsum(correct) / np.arange(1, len(correct) + 1)
    fewest = max(1, len(order) // 5)
    enough = np.flatnonzero(accuracy[fewest - 1 :] >= wanted_accuracy)
    last = fewest - 1 + int(enough[-1]) if len(enough) else fewest - 1
    if last == len(order) - 1:
        return 0.0
    return float(np.ceil(confidence[order[last]] * 100) / 100)


def choose_music_threshold(music: npt.NDArray[np.floating], *, kept: float = 0.98) -> float:
    """Find the probability of music that nearly all windows of music reach.

    Parameters
    ----------
    music : (n,)
        The model's probability of music for windows of music.
    kept : float
        Share of the windows that must reach the threshold.

    Returns
    -------
    float
        0..0.5, rounded down to two digits. Degraded and live music has lower probabilities than clean
        validation windows, so a higher threshold would reject more than ``kept`` allows.
    """
    return float(min(0.5, np.floor(np.quantile(music, 1 - kept) * 100) / 100))
