"""Training of the GRU on stored features."""

from __future__ import annotations

import numpy as np
import pytest

from training.finetuning.gru_training import GenreWindows, fit_gru
from training.networks.genre import GRU_UNITS, TIME_STEPS

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_gru_learns_what_the_means_over_time_do_not_tell() -> None:
    """Two genres differ in the order of the same features. Weights of the means and of music stay."""
    import keras

    from training.networks.genre import build_head

    keras.utils.set_random_seed(0)
    x = keras.Input((TIME_STEPS, 6))
    network = keras.Model(x, build_head(x, genres=2))
    logits = network.get_layer("logits")
    kernel, bias = logits.get_weights()
    kernel[2 * GRU_UNITS :] = np.arange(kernel[2 * GRU_UNITS :].size).reshape(-1, 3) / 100
    logits.set_weights([kernel, bias])

    random = np.random.default_rng(0)
    rises = random.integers(0, 2, 512)
    slopes = np.linspace(-1, 1, TIME_STEPS)[:, np.newaxis] * np.ones(6)
    noise = random.normal(0, 0.3, (512, TIME_STEPS, 6))
    features = (np.where(rises, 1, -1)[:, np.newaxis, np.newaxis] * slopes + noise).astype(np.float16)
    targets = 3 * np.eye(2, dtype=np.float32)[rises]

    def accuracy() -> float:
        predicted = network.predict(features.astype(np.float32), verbose=0)[:, :2]
        return float((predicted.argmax(axis=1) == rises).mean())

    assert accuracy() < 0.7
    fit_gru(network, GenreWindows(features, targets), epochs=30)
    assert accuracy() > 0.95
    trained, same_bias = logits.get_weights()
    assert np.array_equal(trained[2 * GRU_UNITS :], kernel[2 * GRU_UNITS :])
    assert not trained[:, -1][: 2 * GRU_UNITS].any()
    assert np.array_equal(same_bias, bias)
