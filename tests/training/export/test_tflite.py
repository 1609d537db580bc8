"""Conversion of networks with several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from training.export import tflite

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = (11, 7, 5)


@pytest.fixture(scope="module")
def network() -> Any:
    """Three layers on the mean color of an image, of different sizes and ranges."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    outputs = [
        keras.layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(0, 3.0**number))(mean)
        for number, size in enumerate(SIZES)
    ]
    return keras.Model(image, outputs)


def images(n: int = 40) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (n, 1, 1, 3)) + random.integers(-30, 31, (n, 8, 8, 3))
    pixels[0], pixels[1] = 0, 255
    made: npt.NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return made


@pytest.mark.parametrize("count", [1, 2, 3])
def test_outputs_keep_their_order_and_quantization(network: Any, count: int) -> None:
    """The converter shuffles them."""
    import keras

    whole = keras.Model(network.input, network.outputs[:count] if count > 1 else network.outputs[0])
    content = tflite.TracedModel(whole).convert(iter(images()))
    expected = [np.asarray(each) for each in network(images().astype(np.float32))]
    quantization = tflite.read_quantization(content)
    declared = [quantization.output, quantization.tags, quantization.embedding]
    if count == 2:
        declared = [quantization.output, quantization.embedding, quantization.tags]
    outputs = tflite.run_outputs(content, iter(images()))
    assert len(outputs) == count
    for each, found, values in zip(declared[:count], outputs, expected[:count], strict=True):
        assert each is not None
        assert found.shape == values.shape
        assert np.abs(found - values).max() < 4 * each.scale
        assert each.scale == pytest.approx(np.ptp(values) / 255, rel=0.5)
    assert declared[count:] == [None] * (3 - count)
