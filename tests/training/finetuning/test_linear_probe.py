"""Linear probing: the head is fitted to frozen features before fine-tuning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.corpora import arrays_of, cache, entry, recording_of
from training.data.batches import BatchMix, Sampler
from training.data.targets import EMBEDDING_SIZE
from training.finetuning.linear_probe import fit_head, logistic_regression
from training.finetuning.recipe import FineTuningRecipe

pytestmark = pytest.mark.filterwarnings("ignore")

LABELS = ("blues", "rock")


def test_the_regression_equals_that_of_scikit_learn() -> None:
    """The labels are hard and weighted. scikit-learn's penalty on a squared weight is 1 / (2 C n)."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="install the extra 'training'")
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    features = (random.normal(0, 1, (200, 5)) + np.eye(3, 5)[labels]).astype(np.float32)
    theirs = linear_model.LogisticRegression(C=1 / (2 * 0.01 * 200), tol=1e-8, max_iter=1_000)
    counts = random.uniform(0.2, 3, (200, 1)).astype(np.float32)
    theirs.fit(features, labels, sample_weight=counts[:, 0])
    kernel, bias = logistic_regression(features, counts * np.eye(3, dtype=np.float32)[labels], 0.01)
    assert kernel == pytest.approx(theirs.coef_.T, abs=2e-3)
    assert bias - bias.mean() == pytest.approx(theirs.intercept_ - theirs.intercept_.mean(), abs=2e-3)


def test_targets_can_be_probabilities_and_a_class_can_be_missing() -> None:
    targets = np.tile(np.array([0.25, 0.75, 0], np.float32), (8, 1))
    kernel, bias = logistic_regression(np.zeros((8, 2), np.float32), targets, 0.01)
    assert not kernel.any()
    odds = np.exp(bias - bias[0])
    assert odds[1] == pytest.approx(3, rel=1e-2)
    assert odds[2] < 0.01


def test_a_fitted_head_separates_genres_and_music_without_its_gru(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from training.evaluation.predictions import predict_logits
    from training.networks.genre import (
        GRU_UNITS,
        build_backbone,
        build_classifier,
        build_pooled_features,
        fit_standardization,
    )

    keras.utils.set_random_seed(0)
    listed = [
        (entry(f"{genre}.{n}", "gtzan", genre), arrays_of(5 * band, n))
        for band, genre in enumerate(LABELS)
        for n in range(4)
    ]
    listed.append((entry("talk", "clips", music=False), recording_of(9, 0)))
    listed.append((entry("song", "music"), recording_of(3, 0, embedding_size=EMBEDDING_SIZE)))
    corpus = cache(tmp_path, listed)
    sampler = Sampler(corpus, corpus.entries, LABELS, BatchMix(batch=16), 0)
    pooled = build_pooled_features(build_backbone())
    fit_standardization(pooled, sampler.batch(0).intensities)
    network = build_classifier(pooled, len(LABELS))
    before = [layer.numpy() for layer in network.get_layer("pooled_features").weights]

    fit_head(network, sampler, FineTuningRecipe(probe=0))
    assert not network.get_layer("logits").get_weights()[0].any()
    fit_head(network, sampler, FineTuningRecipe(probe=4))
    kernel, _ = network.get_layer("logits").get_weights()
    assert not kernel[: 2 * GRU_UNITS].any()
    assert network.get_layer("embedding").get_weights()[1].any()
    assert all(
        np.array_equal(a, b.numpy())
        for a, b in zip(before, network.get_layer("pooled_features").weights, strict=True)
    )
    batch = sampler.batch(2)
    logits = predict_logits(network, batch.intensities)
    known = batch.genre_known > 0
    assert (logits[known, :2].argmax(axis=1) == batch.genres[known].argmax(axis=1)).all()
    assert ((logits[:, 2] > 0) == (batch.music > 0)).all()

    # If only the frequencies are learned, music and non-music are equally probable.
    monkeypatch.setattr("training.finetuning.linear_probe.MUSIC_PENALTY", 1e6)
    fit_head(network, sampler, FineTuningRecipe(probe=4, music_smoothing=0.0))
    assert network.get_layer("logits").get_weights()[1][-1] == pytest.approx(0, abs=0.02)
