"""Sizes of the study's networks, and training on small made-up features."""

from typing import Any

import numpy as np
import pytest

from training.networks.study import (
    STUDY_CNN,
    STUDY_CNN_GRU,
    TIME_KEEPING,
    TIME_STEPS,
    StudyVariant,
    build_head,
    build_network,
)
from training.study.standardization import Standardization
from training.study.train_head import HeadRecipe, class_weights, head_logits, train_head

pytestmark = pytest.mark.filterwarnings("ignore")


def order_of_steps(n: int, seed: int) -> tuple[Any, Any]:
    """Make two genres with equal means over time: the same step comes early in one and late in the other."""
    labels = np.arange(n) % 2
    features = np.random.default_rng(seed).normal(0, 0.05, (n, 8, 1280)).astype(np.float32)
    features[labels == 0, :2] += 1
    features[labels == 1, -2:] += 1
    return features, labels


def test_the_studys_network_layer_by_layer() -> None:
    """The published table: shapes, 7,779,402 parameters, 5,521,418 of them trainable."""
    model = build_network(STUDY_CNN_GRU)
    table = [(layer.name, tuple(layer.output.shape), layer.count_params()) for layer in model.layers]
    assert table == [
        ("image", (None, 256, 256, 3), 0),
        ("MobileNetV2", (None, 8, 8, 1280), 2_257_984),
        ("pool", (None, 1280), 0),
        ("sequence", (None, 1, 1280), 0),
        ("gru", (None, 1, 1024), 5_511_168),
        ("flatten", (None, 1024), 0),
        ("logits", (None, 10), 10_250),
    ]
    assert model.count_params() == 7_779_402
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 5_521_418


def test_class_weights_balance() -> None:
    assert class_weights(np.array([0, 0, 0, 1]), 3).tolist() == pytest.approx([2 / 3, 2, 0])


def test_only_a_time_keeping_head_sees_the_order() -> None:
    """The study's GRU sees one step, so the order of the time steps does not reach it."""
    train, valid = order_of_steps(64, 0), order_of_steps(32, 1)
    recipe = HeadRecipe(learning_rate=1e-3, epochs=8)
    keeps = train_head(
        StudyVariant("keeps", 8, keeps_time=True), train, valid, genres=2, seed=0, recipe=recipe
    )
    pooled = train_head(STUDY_CNN, train, valid, genres=2, seed=0, recipe=recipe)
    assert keeps.valid_accuracy == 1
    assert pooled.valid_accuracy < 0.8


def test_the_same_seed_gives_the_same_weights_and_nothing_is_carried_over() -> None:
    train, valid = order_of_steps(16, 0), order_of_steps(8, 1)
    variant, recipe = StudyVariant("small", 0, keeps_time=False, dropout=0.5), HeadRecipe(epochs=2)
    runs = [train_head(variant, train, valid, genres=2, seed=seed, recipe=recipe) for seed in (3, 4, 3)]
    first, other, again = (head_logits(run.head, valid[0]) for run in runs)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


HEADS = [STUDY_CNN, STUDY_CNN_GRU, TIME_KEEPING]


@pytest.mark.parametrize("variant", HEADS)
def test_heads_return_logits(variant: StudyVariant) -> None:
    logits = head_logits(build_head(variant, 10), np.ones((2, TIME_STEPS, 1280), dtype=np.float32))
    assert logits.shape == (2, 10)
    assert not np.allclose(logits.sum(axis=1), 1)


@pytest.mark.parametrize("variant", HEADS)
def test_folding_the_standardization_changes_no_logit(variant: StudyVariant) -> None:
    """The folded head gives the same logits on plain features as the head on standardized features."""
    random = np.random.default_rng(0)
    spread = random.uniform(0, 1, 1280) * (np.arange(1280) > 0)  # channel 0 never moves
    features = np.abs(random.normal(0.5, 1, (20, TIME_STEPS, 1280)) * spread).astype(np.float32)
    standardization = Standardization.fit(features)
    model = build_head(variant, 10)
    model.set_weights([random.normal(0, 0.03, weight.shape) for weight in model.get_weights()])
    before = head_logits(model, standardization.apply(features))
    standardization.fold_into(model, variant)
    after = head_logits(model, features)
    assert np.ptp(before) > 0.5
    assert after == pytest.approx(before, abs=2e-5)


def test_standardized_features_have_mean_0_and_no_channel_is_amplified() -> None:
    features = np.random.default_rng(0).normal(3, 1, (50, 4, 1280)).astype(np.float32)
    features[..., 0] = 3 + (features[..., 0] - 3) / 1000  # hardly moves
    features[..., 1] = 7  # never moves
    scaled = Standardization.fit(features).apply(features)
    assert scaled.mean(axis=(0, 1)) == pytest.approx(np.zeros(1280), abs=1e-4)
    deviation = scaled.std(axis=(0, 1))
    assert deviation[2:] == pytest.approx(np.full(1278, deviation[2]), rel=0.2)
    assert deviation[0] < 0.01
    assert deviation[1] == 0


def test_validation_does_not_affect_the_standardization() -> None:
    """Training for one epoch gives the same weights whatever the validation features are."""
    train, valid = order_of_steps(16, 0), order_of_steps(8, 1)
    recipe = HeadRecipe(epochs=1)
    runs = [
        train_head(STUDY_CNN, train, (valid[0] * size, valid[1]), genres=2, seed=0, recipe=recipe)
        for size in (1, 50)
    ]
    first, second = (run.head.get_weights() for run in runs)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_recipe_that_trains_nothing_is_rejected() -> None:
    with pytest.raises(ValueError, match="epochs is 0"):
        HeadRecipe(epochs=0)
    with pytest.raises(ValueError, match="l2 is -1"):
        HeadRecipe(l2=-1)
