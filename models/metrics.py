"""How good answers are: accuracy, recall, F1, confusion, calibration error, and how sure of that one is.

Training judges its networks here and ``overheard evaluate`` the model that ships, so that their
figures can be held against each other. An answer is one track's; the windows of a track are averaged before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

SMALLEST_PROBABILITY = 1e-12
"""What the likelihood takes for 0, whose logarithm would drown all other tracks."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on one set of tracks.

    ``recall`` and ``f1`` are one value a genre, NaN for a genre without tracks; ``confusion`` counts
    tracks, row the truth, column the answer; ``ece`` is the expected calibration error and ``nll`` the
    mean negative log-likelihood, in nats.
    """

    tracks: int
    accuracy: float
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    nll: float


def compute_scores(probabilities: Floats, labels: Labels) -> Scores:
    """Take all measures at once.

    Parameters
    ----------
    probabilities : (n, genres) float64
        Rows sum to 1; a tie goes to the first genre.
    labels : (n,) int64
        True genres, 0 to ``genres - 1``.

    Raises
    ------
    ValueError
        No tracks, or shapes or labels that do not belong together.
    """
    n, genres = _checked(probabilities, labels)
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


def confusion_matrix(answers: Labels, labels: Labels, genres: int) -> Labels:
    """Count tracks by truth and answer, (genres, genres) int64; row the truth, column the answer."""
    confusion = np.zeros((genres, genres), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return confusion


def recall(confusion: Labels) -> Floats:
    """Share of each genre's tracks that were named rightly, (genres,) float64; NaN without tracks."""
    tracks = confusion.sum(axis=1)
    return np.where(tracks > 0, np.diag(confusion) / np.maximum(1, tracks), np.nan)


def f1(confusion: Labels) -> Floats:
    """Harmonic mean of each genre's recall and precision, (genres,) float64; NaN without tracks."""
    tracks, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    return np.where(tracks > 0, 2 * np.diag(confusion) / np.maximum(1, tracks + answers), np.nan)


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over bins of equal mass.

    Equal-mass bins (Nixon et al., 2019): the tracks sorted by confidence and cut into ``bins`` parts
    whose sizes differ by one at most, so that no bin rests on a handful of tracks.

    Parameters
    ----------
    probabilities : (n, genres) float64
    labels : (n,) int64

    Returns
    -------
    float
        0 (confidence is accuracy) to 1.

    Raises
    ------
    ValueError
        No tracks, or shapes or labels that do not belong together.
    """
    n, _ = _checked(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts) / n)


def negative_log_likelihood(probabilities: Floats, labels: Labels) -> float:
    """Mean of -ln p(truth), nats, for (n, genres) probabilities and (n,) labels."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, SMALLEST_PROBABILITY)).mean())


def bootstrap_interval(
    values: npt.NDArray[np.floating | np.bool_], level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Interval of a mean over tracks, from tracks drawn anew with replacement.

    The percentile bootstrap (Efron, 1979). It knows only the chance of which tracks were taken, not that
    tracks of one artist are alike: of new artists the truth is less certain.

    Parameters
    ----------
    values : (n,)
        One value a track: whether its answer is right, or the difference between two models there.
    level : float
        Share of the resampled means inside, above 0 and below 1.

    Returns
    -------
    tuple of float
        Lower and upper end; the same on every call.

    Raises
    ------
    ValueError
        No values, or a level or number of resamples out of range.
    """
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values of shape {values.shape}; need one axis with at least one track")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"level is {level} with {resamples} resamples; need 0 to 1, and at least 1")
    random = np.random.default_rng(seed)
    n = len(values)
    means = [values[random.integers(0, n, n)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def calibration_error_interval(
    probabilities: Floats,
    labels: Labels,
    track: Labels | None = None,
    level: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the expected calibration error, from tracks drawn anew as in ``bootstrap_interval``.

    Resampling adds noise of its own to a measure that cannot fall below 0, so the interval lies a
    little high.

    Parameters
    ----------
    probabilities : (n, genres) float64
    labels : (n,) int64
    track : (n,) int64, optional
        Which track each row is a window of; windows of one track are drawn together. Without it every
        row is a track of its own.

    Returns
    -------
    tuple of float
        Lower and upper end; the same on every call.
    """
    n, _ = _checked(probabilities, labels)
    _, of = np.unique(np.arange(n) if track is None else track, return_inverse=True)
    windows = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1])
    random = np.random.default_rng(seed)
    errors = []
    for _ in range(resamples):
        drawn = np.concatenate([windows[i] for i in random.integers(0, len(windows), len(windows))])
        errors.append(expected_calibration_error(probabilities[drawn], labels[drawn]))
    low, high = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _checked(probabilities: Floats, labels: Labels) -> tuple[int, int]:
    """Number of tracks and genres."""
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
