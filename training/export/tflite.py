"""Conversion of a network to TFLite, and inference of the result.

The kernels of large convolutions are stored in int8, with one scale for each filter, and all else in
float32. The runtime quantizes the inputs of these convolutions by the range of each image. Ranges of all
activations that are fixed in advance changed the genre of up to 6 % of the windows and were not faster
(``REPORT.md``). Dense layers of this kind have constant outputs in ``tflite-runtime`` 2.14, and LiteRT has no
fast depthwise convolution of this kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Images = Iterator[npt.NDArray[np.uint8]]

MAX_INT8: Final = 127
"""Largest value of an int8 kernel. Kernels are symmetric: -127..127 times a scale for each filter."""

MIN_WEIGHTS: Final = 16_384
"""Weights of the smallest kernel that is quantized. Small kernels make the largest errors, are not faster in
int8, and save little space."""

SCHEME: Final = "int8 convolutions"
"""The quantization in words, for the manifest."""


def convert(network: Any) -> bytes:
    """Convert a Keras network to float32.

    Parameters
    ----------
    network : keras.Model
        (n, size, size, 3) pixels -> (n, genres) logits, or a list of such outputs.

    Returns
    -------
    bytes
        A TFLite flatbuffer that takes one uint8 image at a time.
    """
    import tensorflow as tf

    # Keras' own variables do not survive a conversion from a concrete function. TensorFlow's variables,
    # which they wrap, do.
    module = tf.Module()
    module.variables_of_keras = [variable.value for variable in network.variables]
    one_image = tf.TensorSpec((1, *network.input_shape[1:]), tf.uint8, name="image")
    predict = tf.function(
        lambda image: network(tf.cast(image, tf.float32), training=False), autograph=False
    ).get_concrete_function(one_image)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([predict], module).convert())


def quantize_weights(content: bytes) -> bytes:
    """Store the kernels of a float32 model's large convolutions in int8.

    Parameters
    ----------
    content : bytes
        A TFLite flatbuffer of ``convert``.

    Returns
    -------
    bytes
        The same network with int8 kernels of ``MIN_WEIGHTS`` weights or more.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    (graph,) = model.subgraphs
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
            continue
        tensor = graph.tensors[operator.inputs[1]]
        buffer = model.buffers[tensor.buffer]
        if tensor.type != schema.TensorType.FLOAT32:
            continue  # shared with an earlier operator
        kernel = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape)
        if kernel.size < MIN_WEIGHTS:
            continue
        scales = filter_scales(kernel)
        stored = np.round(kernel / scales).astype(np.int8)
        buffer.data = stored.reshape(-1).view(np.uint8)
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT(
            scale=scales.ravel(), zeroPoint=np.zeros(len(kernel), np.int64), quantizedDimension=0
        )
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def filter_scales(kernel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute the scale of each filter: its largest magnitude is stored as ``MAX_INT8``.

    Parameters
    ----------
    kernel : (filters, height, width, channels) float32

    Returns
    -------
    (filters, 1, 1, 1) float32
        A filter of zeros has scale 1.
    """
    largest = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
    return np.where(largest > 0, largest / MAX_INT8, 1).astype(np.float32)


def run_model(content: bytes, images: Images) -> npt.NDArray[np.float64]:
    """Compute the first output of a converted model: the logits of genres and music.

    Returns
    -------
    (n, values) float64
    """
    return run_outputs(content, images)[0]


def run_outputs(content: bytes, images: Images) -> list[npt.NDArray[np.float64]]:
    """Compute all outputs of a converted model, in the order of the network.

    Returns
    -------
    list of (n, values) float64
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    input_ = interpreter.get_input_details()[0]["index"]
    # The converter shuffles the outputs, but numbers their names.
    outputs = sorted(interpreter.get_output_details(), key=lambda details: str(details["name"]))
    rows: list[list[npt.NDArray[np.float64]]] = [[] for _ in outputs]
    for image in images:
        interpreter.set_tensor(input_, image[np.newaxis])
        interpreter.invoke()
        for of_output, details in zip(rows, outputs, strict=True):
            of_output.append(interpreter.get_tensor(details["index"])[0].astype(np.float64))
    return [np.stack(of_output) for of_output in rows]


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
