"""Conversion of a network to TFLite in full int8 or float32, and inference of the result.

A network is traced once, however often it is converted. Weights are quantized per channel, activations by
the range of their values on typical training images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import ModelError
from models.manifest import Quantization, TensorQuantization

Images = Iterator[npt.NDArray[np.uint8]]


class TracedModel:
    """A Keras network that returns logits, ready for conversion.

    Keras' own variables do not survive a conversion from a concrete function. TensorFlow's variables, which
    they wrap, do. A weight that is set later is part of every conversion from then on.

    Parameters
    ----------
    network : keras.Model
        (n, size, size, 3) pixels -> (n, genres) logits, or a list of such outputs.
    """

    def __init__(self, network: Any) -> None:
        import tensorflow as tf

        self.network = network
        self._module = tf.Module()
        self._module.variables_of_keras = [variable.value for variable in network.variables]
        one_image = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32, name="image")
        predict = tf.function(lambda image: network(image, training=False), autograph=False)
        self._function = predict.get_concrete_function(one_image)

    def convert(self, images: Images | None) -> bytes:
        """Convert the network with its current weights.

        Parameters
        ----------
        images : iterator or None
            Representative images for full int8 including input and output. None keeps float32.

        Returns
        -------
        bytes
            A TFLite flatbuffer that takes one image at a time.
        """
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._module)
        if images is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                [image[np.newaxis].astype(np.float32)] for image in images
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def read_quantization(content: bytes) -> Quantization:
    """Read the quantization of a converted model's input and outputs.

    The outputs are those of ``training.networks.genre.build_export_network`` in their order. The one of the
    tags may be missing, and so may both others.

    Raises
    ------
    ModelError
        If input or an output is not int8, or if the input cannot hold every pixel value exactly.
    """
    interpreter = _open_interpreter(content)
    tensors = []
    for details in (interpreter.get_input_details()[0], *_outputs_in_order(interpreter)):
        scale, zero_point = details["quantization"]
        tensors.append(TensorQuantization(np.dtype(details["dtype"]).name, float(scale), int(zero_point)))
    if any(tensor.dtype != "int8" for tensor in tensors):
        types = [tensor.dtype for tensor in tensors]
        raise ModelError(f"the converted model's input and outputs are {types}; all must be int8")
    stored = np.round(np.arange(256) / tensors[0].scale) + tensors[0].zero_point
    if not np.array_equal(stored, np.arange(-128, 128)):
        raise ModelError(
            f"the input's scale is {tensors[0].scale}, zero point {tensors[0].zero_point}: pixels 0..255 do "
            "not map to -128..127 one by one; the representative images must contain both 0 and 255"
        )
    image, genres, *others = tensors
    tags, embedding = [None, None, *others][-2:]
    return Quantization("int8", image, genres, tags, embedding)


def run_model(content: bytes, images: Images) -> npt.NDArray[np.float64]:
    """Compute the first output of a converted model, int8 or float32: the logits of genres and music.

    Returns
    -------
    (n, values) float64
    """
    return run_outputs(content, images)[0]


def run_outputs(content: bytes, images: Images) -> list[npt.NDArray[np.float64]]:
    """Compute all outputs of a converted model, int8 or float32, in the order of the network.

    Returns
    -------
    list of (n, values) float64
    """
    interpreter = _open_interpreter(content)
    input_, outputs = interpreter.get_input_details()[0], _outputs_in_order(interpreter)
    rows: list[list[npt.NDArray[np.float64]]] = [[] for _ in outputs]
    for image in images:
        stored = image[np.newaxis].astype(np.int16)
        if input_["dtype"] is np.int8:
            stored -= 128  # ``read_quantization`` has checked this scale
        interpreter.set_tensor(input_["index"], stored.astype(input_["dtype"]))
        interpreter.invoke()
        for of_output, details in zip(rows, outputs, strict=True):
            scale, zero_point = details["quantization"]
            values = interpreter.get_tensor(details["index"])[0].astype(np.float64)
            of_output.append((values - zero_point) * scale if scale else values)
    return [np.stack(of_output) for of_output in rows]


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _outputs_in_order(interpreter: Any) -> list[dict[str, Any]]:
    """Return the outputs in the network's order. The converter shuffles them, but numbers their names."""
    return sorted(interpreter.get_output_details(), key=lambda details: str(details["name"]))


def _open_interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
