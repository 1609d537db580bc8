"""Bias correction of int8 convolutions in the batch normalizations after them (Nagel et al., 2019).

A rounded kernel has another sum than the exact one, and its input has a mean. The output is therefore off
by a constant. Without correction, these constants are nearly all of the error of rounded weights.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from models.spectrogram.image import colormap
from training.data.augmentation import Intensities
from training.data.batches import Floats
from training.networks.genre import POOLING_LAYERS

MAX_INT8: Final = 127
"""Largest value of an int8 kernel. Kernels are symmetric: -127..127 times a scale for each output channel."""

MEAN_SAMPLES: Final = 64
"""Images over which the mean inputs are measured: as many as fit into memory with all their tensors."""


def correct_biases(whole: Any, intensities: Intensities) -> None:
    """Change a network so that its int8 conversion has the mean outputs of the network itself.

    Each batch normalization subtracts what rounding adds to the mean of the convolution before it. The
    network itself is then off by that amount.

    Parameters
    ----------
    whole : keras.Model
        From ``training.networks.genre.build_export_network``. It shares its layers with the trained
        network, which is changed too.
    intensities : (n, 256, 256) uint8
        Training images. The mean input of each convolution is measured on ``MEAN_SAMPLES`` of them.
    """
    import keras

    folded, rest = whole.get_layer("folded"), whole.get_layer("after_first")
    trained = [layer for layer in rest.layers if not layer.name.startswith(POOLING_LAYERS)]
    convolutions = [folded, *(layer for layer in trained if hasattr(layer, "kernel_size"))]
    normalizations = [layer for layer in trained if isinstance(layer, keras.layers.BatchNormalization)]
    first = keras.Model(whole.input, [keras.ops.mean(folded.input, axis=0), folded.output])
    mean_inputs = [keras.ops.mean(layer.input, axis=0) for layer in convolutions[1:]]
    others = keras.Model(normalizations[0].input, mean_inputs)
    step = -(-len(intensities) // MEAN_SAMPLES)
    mean_of_first, x = first(colormap().astype(np.float32)[intensities[::step]])
    # The first normalization reads ``folded``. Each other one reads its own convolution, or every other row
    # of its output.
    paths = [folded]
    paths += [
        keras.Model(layer.input, normalization.input)
        for layer, normalization in zip(convolutions[1:], normalizations[1:], strict=True)
    ]
    means = [mean_of_first, *others(x)]
    for layer, path, normalization, mean in zip(convolutions, paths, normalizations, means, strict=True):
        kernel, *bias = layer.get_weights()
        layer.set_weights([rounding_error(kernel, layer), *map(np.zeros_like, bias)])
        shift = np.asarray(path(mean[np.newaxis])).mean(axis=(0, 1, 2))
        layer.set_weights([kernel, *bias])
        gamma, beta, moving_mean, variance = normalization.get_weights()
        normalization.set_weights([gamma, beta, moving_mean + shift, variance])


def rounding_error(kernel: Floats, layer: Any) -> Floats:
    """Compute what int8 rounding adds to a convolution's kernel, with one scale for each filter.

    Kernels are (height, width, channels, filters). Those of a depthwise layer are (height, width, filters,
    1).
    """
    import keras

    filters_axis = 2 if isinstance(layer, keras.layers.DepthwiseConv2D) else 3
    others = tuple(axis for axis in range(4) if axis != filters_axis)
    scale = np.maximum(np.abs(kernel).max(axis=others, keepdims=True), np.finfo(np.float32).tiny) / MAX_INT8
    error: Floats = np.round(kernel / scale) * scale - kernel
    return error
