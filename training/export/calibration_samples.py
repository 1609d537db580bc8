"""Choice of the representative dataset that sets the ranges of the int8 activations.

Int8 stores a whole layer in 256 steps between the smallest and the largest value on the representative
images. Some images, such as one that is half digital silence, drive a layer to twenty times its usual
values. With those in the dataset, all other images are left with a dozen steps. Images outside the ranges
still work: their largest values are clipped.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.data.augmentation import Intensities, render

KEPT_SHARE: Final = 0.75
"""Share of the candidates that the converter sees."""

BATCH_SIZE: Final = 32


def representative_dataset(
    network: Any, intensities: Intensities, share: float = KEPT_SHARE
) -> npt.NDArray[np.int64]:
    """Choose the images that the converter sees.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``.
    intensities : (n, 256, 256) uint8
        Training images.
    share : float

    Returns
    -------
    (m,) int64
        Indices into ``intensities``, the most typical image first.
    """
    return select_typical(_activation_peaks(network, intensities), share)


def select_typical(peaks: npt.NDArray[np.floating], share: float) -> npt.NDArray[np.int64]:
    """Return the indices of the images with the least extreme activations.

    Parameters
    ----------
    peaks : (n, layers)
        Largest magnitude of each layer on each image. An image is as extreme as its most extreme layer,
        relative to that layer's median peak.
    share : float
        Share of the images to select.
    """
    extremeness = (peaks / np.median(peaks, axis=0)).max(axis=1)  # (n,)
    return np.argsort(extremeness, kind="stable")[: max(1, round(share * len(peaks)))]


def _activation_peaks(network: Any, intensities: Intensities) -> npt.NDArray[np.float32]:
    import keras

    normalize, features = network.layers[1:3]
    outputs = [
        layer.output for layer in features.layers if layer.name.endswith(("relu", "add", "project_BN"))
    ]
    probe = keras.Model(
        features.inputs, [keras.ops.max(keras.ops.abs(output), axis=(1, 2, 3)) for output in outputs]
    )
    rows = []
    for start in range(0, len(intensities), BATCH_SIZE):
        images = normalize(render(intensities[start : start + BATCH_SIZE]))
        rows.append(np.stack(probe(images, training=False), axis=1))
    return np.concatenate(rows)  # (n, layers)
