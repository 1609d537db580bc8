"""Classification metrics: accuracy, recall, F1, confusion, calibration error and bootstrap intervals.

Training and ``overheard evaluate`` both use these functions, so that their figures can be compared. Each row
of predictions belongs to one track and is the mean over its windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

CONFIDENCE_LEVEL = 0.95
"""Share of the resampled values inside a confidence interval."""

BOOTSTRAP_RESAMPLES, ERROR_RESAMPLES = 2_000, 1_000
"""Number of resamples for the interval of a mean, and for that of the slower calibration error."""

MIN_PROBABILITY = 1e-12
"""Smallest probability in the likelihood. The logarithm of 0 would outweigh all other tracks."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Metrics of one model on one set of tracks.

    Attributes
    ----------
    tracks : int
    accuracy : float
    recall, f1 : tuple of float
        One value per genre, NaN for a genre without tracks.
    confusion : tuple of tuple of int
        Numbers of tracks. Rows are true genres, columns are predicted genres.
    ece : float
        Expected calibration error.
    nll : float
        Mean negative log-likelihood, in nats.
    """

    tracks: int
    accuracy: float
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    nll: float


def compute_scores(probabilities: Floats, labels: Labels) -> Scores:
    """Compute all metrics.

    Parameters
    ----------
    probabilities : (n, genres) float64
        Rows sum to 1. A tie goes to the first genre.
    labels : (n,) int64
        True genres, 0 to ``genres - 1``.

    Raises
    ------
    ValueError
        If there are no tracks, or if shapes or labels do not fit together.
    """
    n, genres = _check_shapes(probabilities, labels)
    confusion = confusion_matrix(probabilities.argmax(axis=1), labels, genres)
    return Scores(
        tracks=n,
        accuracy=float(np.trace(confusion) / n),
        recall=tuple(recall(confusion).tolist()),
        f1=tuple(f1(confusion).tolist()),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        ece=expected_calibration_error(probabilities, labels),
        nll=negative_log_likelihood(probabilities, labels),
    )


def confusion_matrix(predicted: Labels, labels: Labels, genres: int) -> Labels:
    """Count tracks by true genre (rows) and predicted genre (columns), (genres, genres) int64."""
    confusion = np.zeros((genres, genres), dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion


def recall(confusion: Labels) -> Floats:
    """Compute the share of each genre's tracks predicted correctly, (genres,) float64, NaN without tracks."""
    tracks = confusion.sum(axis=1)
    return np.where(tracks > 0, np.diag(confusion) / np.maximum(1, tracks), np.nan)


def f1(confusion: Labels) -> Floats:
    """Compute the harmonic mean of recall and precision, (genres,) float64, NaN without tracks."""
    tracks, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return np.where(tracks > 0, 2 * np.diag(confusion) / np.maximum(1, tracks + predicted), np.nan)


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = 10) -> float:
    """Compute the mean distance between confidence and accuracy over bins of equal mass.

    For bins of equal mass (Nixon et al., 2019), the tracks are sorted by confidence and divided into ``bins``
    parts whose sizes differ by at most one, so that no bin has only a few tracks.

    Parameters
    ----------
    probabilities : (n, genres) float64
    labels : (n,) int64

    Returns
    -------
    float
        0 (confidence equals accuracy) to 1.

    Raises
    ------
    ValueError
        If there are no tracks, or if shapes or labels do not fit together.
    """
    n, _ = _check_shapes(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts) / n)


def negative_log_likelihood(probabilities: Floats, labels: Labels) -> float:
    """Compute the mean of -ln p(truth), in nats, for (n, genres) probabilities and (n,) labels."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, MIN_PROBABILITY)).mean())


def bootstrap_interval(
    values: npt.NDArray[np.floating | np.bool_], level: float = CONFIDENCE_LEVEL
) -> tuple[float, float]:
    """Compute a confidence interval of a mean over tracks by resampling tracks with replacement.

    The method is the percentile bootstrap (Efron, 1979). The interval covers the random selection of the
    tracks. It ignores that tracks of one artist are similar, so for new artists the true interval is wider.

    Parameters
    ----------
    values : (n,)
        One value per track, such as 1 for a correct prediction, or the difference between two models.
    level : float
        Share of the resampled means inside the interval, above 0 and below 1.

    Returns
    -------
    tuple of float
        Lower and upper end, the same on every call.

    Raises
    ------
    ValueError
        If there are no values, or if the level is out of range.
    """
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values of shape {values.shape}; need one axis with at least one track")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be above 0 and below 1")
    random = np.random.default_rng(0)
    n = len(values)
    means = [values[random.integers(0, n, n)].mean() for _ in range(BOOTSTRAP_RESAMPLES)]
    return _central_interval(means, level)


def calibration_error_interval(
    probabilities: Floats, labels: Labels, track: Labels | None = None
) -> tuple[float, float]:
    """Compute a bootstrap confidence interval of the expected calibration error.

    The error cannot fall below 0, and resampling adds noise, so the interval is slightly too high.

    Parameters
    ----------
    probabilities : (n, genres) float64
    labels : (n,) int64
    track : (n,) int64, optional
        Track to which each row belongs. Rows of one track are resampled together. By default every row is a
        separate track.

    Returns
    -------
    tuple of float
        Lower and upper end, the same on every call.
    """
    n, _ = _check_shapes(probabilities, labels)
    _, track_indexes = np.unique(np.arange(n) if track is None else track, return_inverse=True)
    windows = np.split(np.argsort(track_indexes, kind="stable"), np.cumsum(np.bincount(track_indexes))[:-1])
    random = np.random.default_rng(0)
    errors = []
    for _ in range(ERROR_RESAMPLES):
        drawn = np.concatenate([windows[i] for i in random.integers(0, len(windows), len(windows))])
        errors.append(expected_calibration_error(probabilities[drawn], labels[drawn]))
    return _central_interval(errors, CONFIDENCE_LEVEL)


def _central_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check_shapes(probabilities: Floats, labels: Labels) -> tuple[int, int]:
    """Return the numbers of tracks and genres. Raise ValueError if shapes or labels do not fit."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            f"probabilities {probabilities.shape} with labels {labels.shape}; need (n, genres) and (n,), "
            "n above 0"
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(
            f"labels {labels.min()} to {labels.max()}; with {probabilities.shape[1]} genres they start at 0 "
            f"and end at {probabilities.shape[1] - 1}"
        )
    n, genres = probabilities.shape
    return n, genres
