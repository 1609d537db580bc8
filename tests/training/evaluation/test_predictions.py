"""Predictions of windows combined per track, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.eval_sets import EvalSet
from training.evaluation.predictions import Predictions


def test_track_means_and_first_windows() -> None:
    logits = np.zeros((3, 3))
    logits[:, 0] = [0, 4, -2]  # two windows of one track, one of another
    each = Predictions(logits, EvalSet(np.zeros((3, 1, 1), np.uint8), np.array([0, 0, 1]), np.array([0, 1])))
    probability = 1 / (1 + np.exp(-np.array([0, 2, -1])))  # at temperature 2
    assert each.first_windows(2.0)[:, 0] == pytest.approx(probability[[0, 2]])
    assert each.track_means(2.0)[:, 0] == pytest.approx([probability[:2].mean(), probability[2]])
    assert each.music_probability == pytest.approx([0.5] * 3)


def test_accuracies_by_hand() -> None:
    """One track has two windows: the first is wrong, the second correct with more confidence."""
    logits = np.log(np.array([[0.4, 0.6, 1], [0.9, 0.1, 1], [0.2, 0.8, 1]], np.float32))
    eval_set = EvalSet(np.zeros((3, 256, 256), np.uint8), np.array([0, 0, 1]), np.array([0, 1]))
    predictions = Predictions(logits, eval_set)
    assert predictions.accuracies() == (0.5, 1.0)
    nll = predictions.lowest_loss()
    as_given = -(np.log(0.4) + np.log(0.9) + np.log(0.8)) / 3
    assert 0.5 * as_given < nll <= as_given + 1e-9  # a temperature may only better it
    assert Predictions(3 * logits, eval_set).lowest_loss() == pytest.approx(nll, abs=1e-4)


def test_the_labels_do_not_change_the_accuracy_through_the_temperature() -> None:
    """Two windows of a track disagree. At temperature 1 the more confident one decides, for any label."""
    logits = np.array([[3.0, 0, 0, 9], [0, 1.4, 1.3, 9]], np.float32)
    track = np.zeros(2, np.int64)
    intensities = np.zeros((2, 256, 256), np.uint8)
    for truth in range(3):
        eval_set = EvalSet(intensities, track, np.array([truth]))
        assert Predictions(logits, eval_set).accuracies()[1] == (truth == 0)


def test_logits_that_are_not_finite_have_no_loss() -> None:
    logits = np.full((1, 3), np.nan, np.float32)
    eval_set = EvalSet(np.zeros((1, 256, 256), np.uint8), np.array([0]), np.array([0]))
    assert np.isnan(Predictions(logits, eval_set).lowest_loss())
