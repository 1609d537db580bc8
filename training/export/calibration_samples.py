"""Which pictures set the ranges of the int8 activations: typical ones.

Int8 stores a whole layer in 256 steps between the smallest and the largest value seen on sample
pictures. Some pictures, such as one that is half digital silence, drive a layer to twenty times what
is usual; with those in the sample every other picture is left with a dozen steps. Pictures outside
the range still work: their largest values are clipped.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.data.augmentation import Intensities, render

KEPT_SHARE: Final = 0.75
"""Share of the sample that is kept."""

BATCH_SIZE: Final = 32


def representative_dataset(
    network: Any, places: Intensities, share: float = KEPT_SHARE
) -> npt.NDArray[np.int64]:
    """Choose the pictures that the converter sees.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``.
    places : (n, 256, 256) uint8
        Training pictures, as ``training.data.augmentation.window_intensities`` draws them.

    Returns
    -------
    (m,) int64
        The most typical first.
    """
    return select_typical(_activation_peaks(network, places), share)


def select_typical(peaks: npt.NDArray[np.floating], share: float) -> npt.NDArray[np.int64]:
    """The ``share`` of the pictures whose activations are the least extreme.

    Parameters
    ----------
    peaks : (n, layers)
        Largest magnitude of each layer on each picture. A picture is as extreme as its most extreme
        layer, measured in that layer's median peak.
    """
    extreme = (peaks / np.median(peaks, axis=0)).max(axis=1)  # (n,)
    return np.argsort(extreme, kind="stable")[: max(1, round(share * len(peaks)))]


def _activation_peaks(network: Any, places: Intensities) -> npt.NDArray[np.float32]:
    import keras

    normalize, features = network.layers[1:3]
    seen = [layer.output for layer in features.layers if layer.name.endswith(("relu", "add", "project_BN"))]
    probe = keras.Model(
        features.inputs, [keras.ops.max(keras.ops.abs(output), axis=(1, 2, 3)) for output in seen]
    )
    rows = []
    for start in range(0, len(places), BATCH_SIZE):
        pictures = normalize(render(places[start : start + BATCH_SIZE]))
        rows.append(np.stack(probe(pictures, training=False), axis=1))
    return np.concatenate(rows)  # (n, layers)
