"""The shipped network: its sizes, its GRU, and the exactness of its export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.manifest import Tag
from models.spectrogram.image import colormap
from tests.support.corpora import columns
from training.data.augmentation import render, window_intensities
from training.data.geometries import FINE
from training.data.targets import EMBEDDING_SIZE
from training.networks.auxiliary import AuxiliaryOutputs
from training.networks.genre import (
    CLIP,
    DEVIATIONS,
    EPSILON,
    GRU_UNITS,
    build_backbone,
    build_classifier,
    build_export_network,
    build_head,
    build_pooled_features,
    build_student,
    fit_standardization,
)
from training.networks.study import normalize

pytestmark = pytest.mark.filterwarnings("ignore")


CHANNELS = 16 + 24 + 32 + 64 + 96 + 160 + 320
"""Of MobileNetV2's blocks, one count for every width."""


@pytest.fixture(scope="module")
def features() -> Any:
    """The backbone with ImageNet's weights."""
    return build_backbone()


@pytest.fixture(scope="module")
def pooled(features: Any) -> Any:
    """Pooled features, standardized over the three images."""
    model = build_pooled_features(features)
    fit_standardization(model, images()[1])
    return model


@pytest.fixture(scope="module")
def network(pooled: Any) -> Any:
    """A classifier with a random head. Its own starts at zero, which would make all logits 0."""
    import keras

    keras.utils.set_random_seed(0)
    model = build_classifier(pooled, 10)
    kernel, bias = model.get_layer("logits").get_weights()
    random = np.random.default_rng(0)
    model.get_layer("logits").set_weights([random.normal(0, 0.05, kernel.shape), bias + 0.1])
    return model


def images() -> Any:
    """Return pooled images of three sounds, and their intensities."""
    intensities = np.stack(
        [window_intensities(columns(57, band, np.random.default_rng(band)), FINE) for band in (0, 4, 8)]
    )
    return render(intensities).numpy(), intensities


def test_sizes(features: Any, pooled: Any, network: Any) -> None:
    assert features.input_shape == (None, 128, 128, 3)
    assert features.output_shape == (None, 4, 8, 320)
    assert features.count_params() == 2_257_984 - 1_280 * (320 + 4)  # without top and last convolution
    assert network.input_shape == (None, 128, 128, 3)
    assert network.output_shape == [(None, 11), (None, EMBEDDING_SIZE)]
    values = 2 * CHANNELS
    assert pooled.output_shape == (None, 4, values)
    gru = 2 * 3 * GRU_UNITS * (values + GRU_UNITS + 2)
    assert network.get_layer("gru").count_params() == gru
    assert network.get_layer("logits").count_params() == (values + 2 * GRU_UNITS + 1) * 11
    learner = build_student(features, 250)
    assert learner.output_shape == (None, 250)
    assert learner.get_layer("embedding").get_weights()[0].shape == (
        values,
        250,
    )  # it reads all that is pooled


def test_an_untrained_head_prefers_no_genre(pooled: Any) -> None:
    assert not np.asarray(build_classifier(pooled, 10)(images()[0], training=False)[0]).any()


def test_pooled_features_are_means_and_magnitudes_of_every_width(features: Any, network: Any) -> None:
    """They are standardized over three images; some of the values of noise are far off and clipped."""
    import keras

    pooled = network.get_layer("pooled_features")
    last = ("expanded_conv_project_BN", "block_2_add", "block_5_add", "block_9_add", "block_12_add",
            "block_15_add", "block_16_project_BN")  # fmt: skip
    noise = np.random.default_rng(0).integers(0, 256, (2, 256, 256)).astype(np.uint8)
    given = normalize(np.concatenate([images()[0], render(noise)]))
    found = np.asarray(pooled(given))
    start = 0
    for x in keras.Model(features.inputs, [features.get_layer(name).output for name in last])(given):
        for value in (np.asarray(x), np.abs(np.asarray(x))):
            n, _, width, channels = value.shape
            mean = value.reshape(n, -1, 4, width // 4, channels).mean(axis=(1, 3))
            seen = mean[:3]
            deviation = np.sqrt(seen.var(axis=(0, 1)) + EPSILON * (CLIP / DEVIATIONS) ** 2)
            standard = CLIP / DEVIATIONS * (mean - seen.mean(axis=(0, 1))) / deviation
            here = found[..., start : start + channels]
            assert here == pytest.approx(np.clip(standard, -CLIP, CLIP), abs=2e-3)
            start += channels
    assert start == found.shape[2]
    assert np.abs(found[:3]).max() < CLIP
    assert np.abs(found[3:]).max() == CLIP


def test_a_constant_channel_stays_at_its_mean(features: Any) -> None:
    """Its deviation is 0, and its divisor must not be."""
    model = build_pooled_features(features)
    silent = model.get_layer("expanded_conv_project_BN")
    before = silent.get_weights()
    silent.set_weights([np.zeros_like(before[0]), np.zeros_like(before[1]), *before[2:]])
    try:
        fit_standardization(model, images()[1])
        given = np.asarray(model(normalize(images()[0])))
    finally:
        silent.set_weights(before)  # the backbone is shared
    assert not given[..., :16].any()
    assert np.isfinite(given).all()


def test_the_exported_network_agrees_on_the_whole_image(network: Any) -> None:
    """Pooling and normalization are inside the first kernel. Only the padding's color differs slightly."""
    pooled, intensities = images()
    whole = build_export_network(network, 10)
    assert whole.input_shape == (None, 256, 256, 3)
    before = np.asarray(network(pooled, training=False)[0])
    after = np.asarray(whole(colormap()[intensities].astype(np.float32), training=False))
    assert after.shape == before.shape == (3, 11)
    assert before.std(axis=0).max() > 0.05  # the images have different logits
    assert np.abs(after - before).max() < 0.05 * np.ptp(before)


def test_tags_and_embedding_are_exported_as_further_outputs(network: Any) -> None:
    """Their layers read the mean of the pooled features over time."""
    random = np.random.default_rng(2)
    layers = [
        (random.normal(0, 0.1, (2 * CHANNELS, n)).astype(np.float32), random.normal(0, 1, n).astype("f4"))
        for n in (3, 5)
    ]
    tags = tuple(Tag(name, "style", 0.5) for name in ("house", "soul", "folk"))
    rendered, intensities = images()
    whole = build_export_network(network, 10, AuxiliaryOutputs(tags, layers[0], layers[1], []))
    outputs = whole(colormap()[intensities].astype(np.float32), training=False)
    assert [output.shape for output in outputs] == [(3, 11), (3, 3), (3, 5)]
    pooled = np.asarray(network.get_layer("pooled_features")(normalize(rendered))).mean(axis=1)
    for output, (kernel, bias) in zip(outputs[1:], layers, strict=True):
        wanted = pooled @ kernel + bias
        assert np.abs(np.asarray(output) - wanted).max() < 0.05 * np.ptp(wanted)
    without = build_export_network(network, 10, AuxiliaryOutputs((), layers[0], layers[1], []))
    assert [output.shape[1] for output in without.outputs] == [11, 5]


def test_time_runs_along_the_steps(features: Any) -> None:
    """A change at the start of an image affects earlier steps than a change at its end."""
    pooled = images()[0][:1]
    centers = []
    for changed in (slice(0, 24), slice(104, 128)):
        other = pooled.copy()
        other[:, :, changed] = 255 - other[:, :, changed]
        moved = np.abs(np.asarray(features(normalize(other))) - np.asarray(features(normalize(pooled))))
        per_step = moved.mean(axis=(0, 1, 3))  # (8 times,)
        centers.append(float(per_step @ np.arange(8) / per_step.sum()))
    assert centers[1] > centers[0] + 0.1


def test_the_gru_sees_the_order_of_the_time_steps_and_the_pooling_does_not() -> None:
    import keras

    values = keras.Input((4, 2 * CHANNELS))
    model = keras.Model(values, build_head(values, 10))
    random = np.random.default_rng(0)
    kernel, bias = model.get_layer("logits").get_weights()
    given = np.abs(random.normal(0, 1, (1, 4, 2 * CHANNELS))).astype(np.float32)
    later = given[:, [1, 2, 3, 0]]

    def change(other: Any, rows: slice) -> float:
        """Return how much the logits differ that these rows of the kernel alone make."""
        used = np.zeros_like(kernel)
        used[rows] = random.normal(0, 1, used[rows].shape)
        model.get_layer("logits").set_weights([used, bias])
        return float(np.abs(np.asarray(model(given)) - np.asarray(model(other))).max())

    moved, pooled = slice(0, 2 * GRU_UNITS), slice(2 * GRU_UNITS, None)
    assert change(later, moved) > 0.05
    assert change(later, pooled) < 1e-3
