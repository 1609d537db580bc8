"""Conversion of networks to TFLite, and the quantization of their kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from training.export import tflite

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = (11, 7, 700)


@pytest.fixture(scope="module")
def network() -> Any:
    """Return a network with two convolutions of many weights and three outputs, each of another size."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(700, 3, activation="relu")(scaled)
    x = keras.layers.DepthwiseConv2D(3)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(25, 1, activation="relu")(x))
    return keras.Model(image, [keras.layers.Dense(size)(x) for size in SIZES])


def images(n: int = 40) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (n, 1, 1, 3)) + random.integers(-30, 31, (n, 8, 8, 3))
    made: npt.NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return made


@pytest.mark.parametrize("count", [1, 2, 3])
def test_outputs_keep_their_order(network: Any, count: int) -> None:
    """The converter shuffles them."""
    import keras

    whole = keras.Model(network.input, network.outputs[:count] if count > 1 else network.outputs[0])
    expected = [np.asarray(each) for each in network(images().astype(np.float32))]
    outputs = tflite.run_outputs(tflite.convert(whole), iter(images()))
    assert len(outputs) == count
    for found, values in zip(outputs, expected[:count], strict=True):
        assert found == pytest.approx(values, abs=1e-4)


def test_quantized_kernels_compute_nearly_the_same(network: Any) -> None:
    content = tflite.convert(network)
    quantized = tflite.quantize_weights(content)
    dtypes = kernel_dtypes(quantized)
    # The convolutions have 18,900 and 17,500 weights, and the last output has 17,500.
    assert dtypes == {"CONV_2D": ["int8", "int8"], "DEPTHWISE_CONV_2D": ["float32"],
                      "FULLY_CONNECTED": ["float32"] * 3}  # fmt: skip
    assert {each for dtypes in kernel_dtypes(content).values() for each in dtypes} == {"float32"}
    assert len(quantized) < len(content) - 3 * (18_900 + 17_500) + 10_000
    exact, found = (tflite.run_outputs(each, iter(images())) for each in (content, quantized))
    for one, other in zip(exact, found, strict=True):
        assert 0 < np.abs(one - other).max() < 0.03 * np.ptp(one)


def test_quantizing_twice_changes_nothing(network: Any) -> None:
    once = tflite.quantize_weights(tflite.convert(network))
    assert tflite.quantize_weights(once) == once


def test_each_filter_has_a_scale_of_its_own() -> None:
    kernel = np.random.default_rng(0).normal(0, 1, (5, 3, 3, 4)).astype(np.float32)
    kernel[0] *= 100
    kernel[1] = 0
    stored = kernel / tflite.filter_scales(kernel)
    assert np.abs(stored).max(axis=(1, 2, 3)) == pytest.approx([127, 0, 127, 127, 127])


def kernel_dtypes(content: bytes) -> dict[str, list[str]]:
    """Return the dtypes of the kernels of a model by operator."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    dtypes = {each["index"]: np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details()}
    found: dict[str, list[str]] = {}
    for op in interpreter._get_ops_details():
        if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            found.setdefault(op["op_name"], []).append(dtypes[op["inputs"][1]])
    return found
