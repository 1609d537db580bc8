"""Calibration, on values worked out by hand."""

import numpy as np
import pytest

from models.classifier import softmax
from training.evaluation.calibration import (
    choose_confidence_threshold,
    choose_music_threshold,
    fit_temperature,
)


def test_the_temperature_is_the_factor_of_the_logits() -> None:
    """Labels are drawn from the probabilities: logits three times too large need temperature 3."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 4))
    labels = np.array([rng.choice(4, p=p) for p in softmax(logits)])
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_the_confidence_threshold_excludes_inaccurate_predictions() -> None:
    confidence = np.linspace(0.3, 1, 100)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    probabilities[confidence < 0.5] = probabilities[confidence < 0.5][:, ::-1]
    answers = probabilities.argmax(axis=1)
    right_above = np.where(probabilities.max(axis=1) > 0.6, answers, 1 - answers)
    below = choose_confidence_threshold(probabilities, right_above)
    right, confidence = probabilities.argmax(axis=1) == right_above, probabilities.max(axis=1)
    assert right.mean() < 0.8
    assert right[confidence >= below].mean() >= 0.8
    assert right[confidence >= below - 0.02].mean() < 0.8  # and none lower would do
    assert choose_confidence_threshold(probabilities, answers) == 0


def test_the_confidence_threshold_by_hand() -> None:
    """Above 0.7, 4 of 5 predictions are correct; below, at most 5 of 7 are."""
    confidence = np.array([0.95, 0.901, 0.85, 0.8, 0.701, 0.65, 0.6, 0.55, 0.54, 0.53])
    labels = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 1])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    assert choose_confidence_threshold(probabilities, labels) == 0.71
    assert choose_confidence_threshold(probabilities, labels, wanted_accuracy=0.3) == 0
    backwards = slice(None, None, -1)
    assert choose_confidence_threshold(probabilities[backwards], labels[backwards]) == 0.71


def test_the_confidence_threshold_keeps_a_fifth_of_the_predictions() -> None:
    """Only the most confident prediction is correct, which alone means nothing."""
    confidence = np.array([0.99, 0.9, 0.8, 0.7, 0.66, 0.65, 0.64, 0.63, 0.62, 0.61])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, *[1] * 9])
    assert choose_confidence_threshold(probabilities, labels) == 0.9


def test_the_music_threshold_keeps_nearly_all_music() -> None:
    music = np.linspace(0, 1, 101)
    assert choose_music_threshold(music, kept=0.9) == pytest.approx(0.1, abs=0.0101)
    assert choose_music_threshold(music, kept=0.9) <= 0.1
    assert choose_music_threshold(0.9 + 0.1 * music) == 0.5
    assert choose_music_threshold(np.zeros(5)) == 0
