"""Fitting of tags and of the embedding, on features whose meaning is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.corpora import cache, entry, recording_of
from training.data.targets import EMBEDDING_SIZE
from training.tags.fit import _embedding_weights, _measure_tag, fit_auxiliary_outputs, fit_tags
from training.tags.vocabulary import VOCABULARY

TAG = VOCABULARY[0]


def test_a_regression_of_tags_finds_the_features_that_decide() -> None:
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (800, 12)).astype(np.float32)
    truth = np.stack([features[:, 3] > 0, features[:, 5] + features[:, 6] > 1.5], axis=1).astype(np.float32)
    kernel, bias = fit_tags(features, truth)
    assert np.abs(kernel[:, 0]).argmax() == 3
    assert set(np.argsort(-np.abs(kernel[:, 1]))[:2]) == {5, 6}
    right = ((features @ kernel + bias > 0) == truth).mean(axis=0)
    assert right.min() > 0.93
    probabilities = 1 / (1 + np.exp(-(features @ kernel + bias)))
    assert probabilities.mean(axis=0) == pytest.approx(truth.mean(axis=0), abs=0.02)


def test_the_threshold_of_a_tag_has_the_wanted_precision() -> None:
    random = np.random.default_rng(1)
    truth = random.random(2_000) < 0.2
    probabilities = np.clip(random.normal(0.3, 0.1, 2_000) + 0.2 * truth, 0, 1).astype(np.float32)
    measured = _measure_tag(TAG, truth, truth, probabilities)
    assert measured["ships"]
    assert measured["auc"] > 0.9
    chosen = probabilities >= measured["threshold"]
    assert truth[chosen].mean() == pytest.approx(measured["precision"], abs=0.01)
    assert truth[chosen].mean() >= 0.7
    assert 0.3 < measured["recall"] < 1


@pytest.mark.parametrize(("rate", "spread"), [(0.005, 0.2), (0.2, 0.0)])
def test_rare_tags_and_tags_that_cannot_be_predicted_do_not_ship(rate: float, spread: float) -> None:
    random = np.random.default_rng(2)
    truth = random.random(2_000) < rate
    probabilities = np.clip(random.normal(0.3, 0.1, 2_000) + spread * truth, 0, 1).astype(np.float32)
    assert not _measure_tag(TAG, truth, truth, probabilities)["ships"]


class _Network:
    """A classifier whose pooled features and layer of teacher values are given."""

    def __init__(self, kernel: np.ndarray[Any, Any]) -> None:
        self._kernel = kernel

    def get_layer(self, name: str) -> Any:
        assert name == "embedding"
        return self

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        return [self._kernel, np.zeros(self._kernel.shape[1])]


def test_the_embedding_is_centered_and_its_first_values_vary_most() -> None:
    random = np.random.default_rng(3)
    features = (random.normal(0, 1, (500, 120)) * np.linspace(3, 0.1, 120) + 1).astype(np.float32)
    kernel, bias = _embedding_weights(_Network(random.normal(0, 1, (120, EMBEDDING_SIZE))), features)
    values = features @ kernel + bias
    assert values.shape == (500, 96)
    assert values.mean(axis=0) == pytest.approx(0, abs=1e-2)
    deviations = values.std(axis=0)
    assert (np.diff(deviations) < 1e-3).all()
    correlation = np.corrcoef(values[:, :20].T) - np.eye(20)
    assert np.abs(correlation).max() < 0.05


def test_without_teacher_values_there_are_no_further_outputs(tmp_path: Path) -> None:
    corpus = cache(tmp_path, [(entry("a", "songs", "rock"), recording_of(0, 0))])
    assert fit_auxiliary_outputs(corpus, None, corpus.entries, corpus.entries) is None
