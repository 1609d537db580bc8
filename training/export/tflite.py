"""From a trained network to the shipped file: full-int8 TFLite, and its manifest.

A network is traced once, however often it is converted. Weights are quantized per channel,
activations by the range they take on typical training pictures.
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
    """A Keras network that puts out logits, ready to be converted.

    Keras' own variables do not survive a conversion from a concrete function; TensorFlow's, which lie
    under them, do. A weight that is set later is that of every conversion from then on.

    Parameters
    ----------
    network : keras.Model
        (n, size, size, 3) pixels -> (n, genres) logits.
    """

    def __init__(self, network: Any) -> None:
        import tensorflow as tf

        self.network = network
        self._kept = tf.Module()
        self._kept.variables_of_keras = [variable.value for variable in network.variables]
        one_picture = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32, name="picture")
        answer = tf.function(lambda picture: network(picture, training=False), autograph=False)
        self._function = answer.get_concrete_function(one_picture)

    def convert(self, pictures: Images | None) -> bytes:
        """Convert it with the weights that it has now.

        Parameters
        ----------
        pictures : iterator or None
            Representative pictures for full int8, input and output included; None keeps float32.

        Returns
        -------
        bytes
            A TFLite flatbuffer for one picture at a time.
        """
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_concrete_functions([self._function], self._kept)
        if pictures is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                [picture[np.newaxis].astype(np.float32)] for picture in pictures
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def read_quantization(content: bytes) -> Quantization:
    """How a converted model stores its input and output, as the runtime says.

    Raises
    ------
    ModelError
        An end is not int8, or the input cannot hold every pixel value exactly.
    """
    interpreter = _open_interpreter(content)
    ends = []
    for details in (interpreter.get_input_details()[0], interpreter.get_output_details()[0]):
        scale, zero_point = details["quantization"]
        ends.append(TensorQuantization(np.dtype(details["dtype"]).name, float(scale), int(zero_point)))
    if any(end.dtype != "int8" for end in ends):
        raise ModelError(f"the converted model's ends are {[end.dtype for end in ends]}; both must be int8")
    stored = np.round(np.arange(256) / ends[0].scale) + ends[0].zero_point
    if not np.array_equal(stored, np.arange(-128, 128)):
        raise ModelError(
            f"the input's scale is {ends[0].scale}, zero point {ends[0].zero_point}: pixels 0..255 do not "
            "map to -128..127 one by one; the representative pictures must hold both values"
        )
    return Quantization("int8", *ends)


def run_model(content: bytes, pictures: Images) -> npt.NDArray[np.float64]:
    """Logits of a converted model, int8 or float32, one row a picture.

    Returns
    -------
    (n, genres) float64
    """
    interpreter = _open_interpreter(content)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = given["quantization"]
    rows = []
    for picture in pictures:
        stored = picture[np.newaxis].astype(np.int16)
        if taken["dtype"] is np.int8:
            stored -= 128  # read_quantization has checked that this is what its scale says
        interpreter.set_tensor(taken["index"], stored.astype(taken["dtype"]))
        interpreter.invoke()
        answer = interpreter.get_tensor(given["index"])[0].astype(np.float64)
        rows.append((answer - zero_point) * scale if scale else answer)
    return np.stack(rows)


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _open_interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
