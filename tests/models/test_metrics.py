"""Metrics on values computed by hand."""

import numpy as np
import pytest

from models.metrics import (
    bootstrap_interval,
    calibration_error_interval,
    compute_scores,
    confusion_matrix,
    expected_calibration_error,
    f1,
    negative_log_likelihood,
    recall,
)

PROBABILITIES = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.6, 0.4, 0.0]])
LABELS = np.array([0, 0, 1, 1])


def test_score_by_hand() -> None:
    """Three of four tracks are correct. The fourth is of genre 1 and predicted as 0. Genre 2 has no track."""
    scores = compute_scores(PROBABILITIES, LABELS)
    assert (scores.tracks, scores.accuracy) == (4, 0.75)
    assert scores.confusion == ((2, 0, 0), (1, 1, 0), (0, 0, 0))
    assert scores.recall == pytest.approx((1, 0.5, np.nan), nan_ok=True)
    assert scores.f1 == pytest.approx((2 * 2 / (2 + 3), 2 * 1 / (2 + 1), np.nan), nan_ok=True)
    assert scores.nll == pytest.approx(-np.log([0.9, 0.8, 0.7, 0.4]).mean())
    # Confidences 0.6 (wrong), 0.7, 0.8, 0.9 (right), each a bin of its own.
    assert scores.ece == pytest.approx((0.6 + 0.3 + 0.2 + 0.1) / 4)


def test_the_rows_of_a_confusion_matrix_are_true_genres() -> None:
    assert confusion_matrix(np.array([1, 1, 0]), np.array([0, 0, 1]), 2).tolist() == [[0, 2], [1, 0]]


def test_a_genre_that_is_never_predicted_scores_zero_and_a_genre_without_tracks_nan() -> None:
    confusion = np.array([[0, 3], [0, 0]])
    assert recall(confusion) == pytest.approx([0, np.nan], nan_ok=True)
    assert f1(confusion) == pytest.approx([0, np.nan], nan_ok=True)


def test_calibration_error_of_bins_of_equal_mass() -> None:
    """Two bins of two tracks: (0.5, 0.6) with one right, (0.9, 1.0) with one right."""
    confidence = np.array([0.9, 0.5, 1.0, 0.6])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([1, 0, 0, 1])
    expected = 0.5 * abs(0.55 - 0.5) + 0.5 * abs(0.95 - 0.5)
    assert expected_calibration_error(probabilities, labels, bins=2) == pytest.approx(expected)
    # One bin has the mean of both: |0.75 - 0.5|.
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(0.25)


def test_bins_weigh_by_their_tracks() -> None:
    """Three tracks in two bins: two of confidence 0.6, one of them right, and one of 1, right."""
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [1.0, 0.0]])
    error = expected_calibration_error(probabilities, np.array([0, 1, 0]), bins=2)
    assert error == pytest.approx(2 / 3 * 0.1)


def test_calibration_error_is_zero_when_confidence_is_accuracy() -> None:
    probabilities = np.tile([0.75, 0.25], (100, 1))
    assert expected_calibration_error(probabilities, np.tile([0, 0, 0, 1], 25), bins=5) == pytest.approx(0)
    assert expected_calibration_error(probabilities, np.zeros(100, dtype=np.int64)) == pytest.approx(0.25)


def test_the_likelihood_of_an_impossible_genre_is_finite() -> None:
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(np.log(1e12))


def test_windows_of_one_track_are_drawn_together() -> None:
    """Copies of windows add no information. The interval stays as wide as that of the tracks."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    probabilities = random.dirichlet(np.ones(3), 60)
    alone = calibration_error_interval(probabilities, labels)
    copied = np.repeat(probabilities, 8, axis=0), np.repeat(labels, 8)
    together = calibration_error_interval(*copied, np.repeat(np.arange(60), 8))
    apart = calibration_error_interval(*copied)
    assert together == pytest.approx(alone, abs=0.02)
    assert np.ptp(apart) < 0.6 * np.ptp(together)


def test_the_bootstrap_interval_is_that_of_the_binomial() -> None:
    """300 of 400 tracks are correct: mean 0.75, standard deviation sqrt(0.75 * 0.25 / 400) = 0.0217."""
    right = np.arange(400) % 4 > 0
    low, high = bootstrap_interval(right)
    assert low == pytest.approx(0.75 - 1.96 * 0.02165, abs=0.004)
    assert high == pytest.approx(0.75 + 1.96 * 0.02165, abs=0.004)
    assert bootstrap_interval(right) == (low, high)
    narrow = bootstrap_interval(right, level=0.5)
    assert low < narrow[0] < 0.75 < narrow[1] < high


def test_the_bootstrap_of_differences_may_be_negative() -> None:
    assert bootstrap_interval(np.full(7, -0.5)) == (-0.5, -0.5)


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.zeros((0, 3)), np.zeros(0, dtype=np.int64)),
        (PROBABILITIES, LABELS[:3]),
        (PROBABILITIES[0], LABELS[:1]),
        (PROBABILITIES, np.array([0, 0, 1, 3])),
        (PROBABILITIES, np.array([0, 0, 1, -1])),
    ],
)
def test_arrays_that_do_not_match_are_refused(
    probabilities: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> None:
    for measure in (compute_scores, expected_calibration_error):
        with pytest.raises(ValueError, match=r"probabilities \(|labels -?\d to \d"):
            measure(probabilities, labels)


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one track"):
        bootstrap_interval(np.zeros(0))
    with pytest.raises(ValueError, match="level is 1"):
        bootstrap_interval(np.ones(3), level=1)


def test_calibration_bins_hold_tracks_of_like_confidence_whatever_their_order() -> None:
    """0.6 is never correct here and 0.9 always. Unsorted, each bin would be 0.75 and half correct."""
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 1])
    assert expected_calibration_error(probabilities, labels, bins=2) == pytest.approx((0.6 + 0.1) / 2)
