"""The networks' sizes, and the training loop on tiny made-up features."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: install the extra 'training'")

from training.network import STUDY_CNN, STUDY_CNN_GRU, Variant, head, time_keeping
from training.train import Recipe, class_weights, logits_of, train_head

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's and Keras' own deprecations


def order_of_steps(n: int, seed: int) -> tuple[Any, Any]:
    """Two genres with the same mean over time: the same step comes early in one, late in the other."""
    labels = np.arange(n) % 2
    features = np.random.default_rng(seed).normal(0, 0.05, (n, 8, 1280)).astype(np.float32)
    features[labels == 0, :2, :100] += 1
    features[labels == 1, -2:, :100] += 1
    return features, labels


def test_the_studys_network_layer_by_layer() -> None:
    """The published table: shapes, 7,779,402 parameters, 5,521,418 of them trainable."""
    from training.network import study_cnn_gru

    model = study_cnn_gru()
    table = [(layer.name, tuple(layer.output.shape), layer.count_params()) for layer in model.layers]
    assert table == [
        ("picture", (None, 256, 256, 3), 0),
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


def test_only_a_time_keeping_head_hears_the_order() -> None:
    """The study's GRU sees one step, so that what comes early and what comes late are the same to it."""
    train, valid = order_of_steps(64, 0), order_of_steps(32, 1)
    recipe = Recipe(learning_rate=1e-3, epochs=8)
    keeps = train_head(Variant("keeps", 8, keeps_time=True), train, valid, genres=2, seed=0, recipe=recipe)
    pooled = train_head(STUDY_CNN, train, valid, genres=2, seed=0, recipe=recipe)
    assert keeps.valid_accuracy == 1
    assert pooled.valid_accuracy < 0.8


def test_the_same_seed_gives_the_same_weights_and_nothing_is_carried_over() -> None:
    train, valid = order_of_steps(16, 0), order_of_steps(8, 1)
    variant, recipe = Variant("small", 0, keeps_time=False, dropout=0.5), Recipe(epochs=2)
    runs = [train_head(variant, train, valid, genres=2, seed=seed, recipe=recipe) for seed in (3, 4, 3)]
    first, other, again = (logits_of(run.head, valid[0]) for run in runs)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("variant", [STUDY_CNN, STUDY_CNN_GRU, time_keeping(8)])
def test_heads_put_out_logits(variant: Variant) -> None:
    logits = logits_of(head(variant, 10), np.ones((2, 8, 1280), dtype=np.float32))
    assert logits.shape == (2, 10)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_a_recipe_that_trains_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="epochs is 0"):
        Recipe(epochs=0)
