"""The network that ships: its sizes, what its GRU hears, and that exporting it changes next to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.corpora import columns
from training.augment import drawn, paint
from training.geometry import FINE
from training.music_network import GRU_UNITS, backbone, classifier, for_export, student, tail

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def features() -> Any:
    """The backbone with ImageNet's weights."""
    return backbone()


@pytest.fixture(scope="module")
def network(features: Any) -> Any:
    """A classifier whose head is random: its own begins with zeros, which would make all logits 0."""
    import keras

    keras.utils.set_random_seed(0)
    model = classifier(features, 10)
    kernel, bias = model.get_layer("logits").get_weights()
    random = np.random.default_rng(0)
    model.get_layer("logits").set_weights([random.normal(0, 0.05, kernel.shape), bias + 0.1])
    return model


def pictures() -> Any:
    """Pooled pictures of three sounds, and the places in the colormap they were painted from."""
    places = np.stack([drawn(columns(57, band, np.random.default_rng(band)), FINE) for band in (0, 4, 8)])
    return paint(places).numpy(), places


def test_sizes(features: Any, network: Any) -> None:
    assert features.input_shape == (None, 256, 64, 3)
    assert features.output_shape == (None, 8, 4, 1280)
    assert features.count_params() == 2_257_984  # the plain MobileNetV2 without top
    assert network.input_shape == (None, 256, 64, 3)
    assert network.output_shape == [(None, 11), (None, 250)]
    gru = 2 * 3 * GRU_UNITS * (1280 + GRU_UNITS + 2)
    assert network.get_layer("gru").count_params() == gru
    assert network.get_layer("logits").count_params() == (1280 + 2 * GRU_UNITS + 1) * 11
    assert network.count_params() == 2_257_984 + gru + (1280 + 2 * GRU_UNITS + 1) * 11 + 1281 * 250
    assert student(features, 250).output_shape == (None, 250)


def test_an_untrained_head_prefers_no_genre(features: Any) -> None:
    assert not np.asarray(classifier(features, 10)(pictures()[0], training=False)[0]).any()


def test_the_exported_network_agrees_on_the_whole_picture(network: Any) -> None:
    """Pooling and normalization inside the first kernel; only the padding's colour differs a little."""
    from models.spectrogram import colormap

    pooled, places = pictures()
    whole = for_export(network, 10)
    assert whole.input_shape == (None, 256, 256, 3)
    before = np.asarray(network(pooled, training=False)[0])
    after = np.asarray(whole(colormap()[places].astype(np.float32), training=False))
    assert after.shape == before.shape == (3, 11)
    assert before.std(axis=0).max() > 0.05  # the pictures are told apart
    assert np.abs(after - before).max() < 0.05 * np.ptp(before)


def test_time_runs_along_the_steps(features: Any) -> None:
    """What changes at the start of a picture moves earlier steps than what changes at its end."""
    from training.network import normalize

    pooled = pictures()[0][:1]
    centres = []
    for changed in (slice(0, 12), slice(52, 64)):
        other = pooled.copy()
        other[:, :, changed] = 255 - other[:, :, changed]
        moved = np.abs(np.asarray(features(normalize(other))) - np.asarray(features(normalize(pooled))))
        per_step = moved.mean(axis=(0, 1, 3))  # (4 times,)
        centres.append(float(per_step @ np.arange(4) / per_step.sum()))
    assert centres[1] > centres[0] + 0.1


def test_the_gru_hears_the_order_of_four_time_steps_and_the_pooling_does_not() -> None:
    import keras

    features = keras.Input((8, 4, 1280))
    model = keras.Model(features, tail(features, 10))
    random = np.random.default_rng(0)
    kernel, bias = model.get_layer("logits").get_weights()
    given = np.abs(random.normal(0, 1, (1, 8, 4, 1280))).astype(np.float32)
    later = given[:, :, [1, 2, 3, 0]]

    def change(other: Any, rows: slice) -> float:
        """How much the logits differ that these rows of the kernel alone make."""
        used = np.zeros_like(kernel)
        used[rows] = random.normal(0, 1, used[rows].shape)
        model.get_layer("logits").set_weights([used, bias])
        return float(np.abs(np.asarray(model(given)) - np.asarray(model(other))).max())

    moved, pooled = slice(0, 2 * GRU_UNITS), slice(2 * GRU_UNITS, None)
    assert change(later, moved) > 0.05
    assert change(later, pooled) < 1e-3
    assert (
        change(given[:, [3, 1, 0, 2, 7, 6, 4, 5]], moved) < 1e-3
    )  # the order of frequencies is averaged away
