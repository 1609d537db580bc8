"""The constant errors of int8 convolutions, taken out of the batch normalizations after them.

A rounded kernel no longer sums to what it did, and what it reads has a mean: the result is off by a
constant. Left alone, these constants are nearly all of the error that rounded weights make (bias
correction, Nagel et al., 2019).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import colormap
from training.data.augmentation import Intensities
from training.networks.genre import POOLING_LAYERS

MAX_INT8: Final = 127
"""Int8 kernels are symmetric: -127..127 times a scale of each output channel."""

MEAN_SAMPLES: Final = 64
"""Pictures that tell the means: as many as fit into memory with all their tensors."""

Floats = npt.NDArray[np.float32]


def correct_biases(whole: Any, places: Intensities) -> None:
    """Change a network so that its int8 conversion has the means that it has itself.

    Parameters
    ----------
    whole : keras.Model
        From ``networks.genre.build_export_network``, which shares its layers with the network that was
        trained: that one is changed too. Each batch normalization takes off what rounding adds
        to the mean of the convolution before it; the network itself is then off by as much.
    places : (n, 256, 256) uint8
        Training pictures, of which ``MEAN_SAMPLES`` tell the mean input of each convolution.
    """
    import keras

    folded, rest = whole.get_layer("folded"), whole.get_layer("after_first")
    learnt = [layer for layer in rest.layers if not layer.name.startswith(POOLING_LAYERS)]
    convolutions = [folded, *(layer for layer in learnt if hasattr(layer, "kernel_size"))]
    normalizations = [layer for layer in learnt if isinstance(layer, keras.layers.BatchNormalization)]
    first = keras.Model(whole.input, [keras.ops.mean(folded.input, axis=0), folded.output])
    mean_of = [keras.ops.mean(layer.input, axis=0) for layer in convolutions[1:]]
    others = keras.Model(normalizations[0].input, mean_of)
    mean_of_first, x = first(colormap().astype(np.float32)[places[:: -(-len(places) // MEAN_SAMPLES)]])
    # The first normalization reads ``folded``; each other one its own layer, or every other row of it.
    between = [folded]
    between += [
        keras.Model(layer.input, normalization.input)
        for layer, normalization in zip(convolutions[1:], normalizations[1:], strict=True)
    ]
    means = [mean_of_first, *others(x)]
    for layer, through, normalization, mean in zip(convolutions, between, normalizations, means, strict=True):
        kernel, *bias = layer.get_weights()
        layer.set_weights([rounding_error(kernel, layer), *map(np.zeros_like, bias)])
        shift = np.asarray(through(mean[np.newaxis])).mean(axis=(0, 1, 2))
        layer.set_weights([kernel, *bias])
        gamma, beta, moving_mean, variance = normalization.get_weights()
        normalization.set_weights([gamma, beta, moving_mean + shift, variance])


def rounding_error(kernel: Floats, layer: Any) -> Floats:
    """What int8 adds to a convolution's kernel, where each filter has a scale of its own.

    Kernels are (height, width, channels, filters), or of a depthwise layer (height, width, filters, 1).
    """
    import keras

    of_filters = 2 if isinstance(layer, keras.layers.DepthwiseConv2D) else 3
    others = tuple(axis for axis in range(4) if axis != of_filters)
    scale = np.maximum(np.abs(kernel).max(axis=others, keepdims=True), np.finfo(np.float32).tiny) / MAX_INT8
    added: Floats = np.round(kernel / scale) * scale - kernel
    return added
