"""Which pictures set the ranges of the int8 activations: typical ones.

Int8 stores a whole layer in 256 steps between the smallest and the largest value seen on sample
pictures. Some pictures, such as one that is half digital silence, drive a layer to twenty times what
is usual; with those in the sample every other picture is left with a dozen steps. Measured on the
features of validation tracks: 9 dB signal to noise with them, 18 dB without. Pictures outside the
range still work: their largest values are clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.spectrogram import AudioSpec
from training.gtzan import Gtzan
from training.splits import Indices

TYPICAL = 0.75
"""Share of the sample that is kept."""

SAMPLE = 140
BATCH = 16


def representatives(gtzan: Gtzan, train: Indices, spec: AudioSpec, backbone: Any) -> Indices:
    """Choose the tracks whose pictures the converter sees.

    Parameters
    ----------
    train : (n,) int64
        Training tracks; about ``SAMPLE`` of them are looked at, evenly from all genres.
    backbone : keras.Model
        From ``training.network.backbone``.

    Returns
    -------
    (m,) int64
        The most typical tracks first.
    """
    by_genre = np.array(sorted(train.tolist(), key=lambda index: gtzan.tracks[index].genre))
    sample = by_genre[:: max(1, len(by_genre) // SAMPLE)]
    return typical(sample, _peaks(gtzan, sample, spec, backbone), TYPICAL)


def typical(sample: Indices, peaks: npt.NDArray[np.floating], share: float) -> Indices:
    """The ``share`` of the sample whose activations are the least extreme.

    Parameters
    ----------
    peaks : (n, layers)
        Largest magnitude of each layer on each picture. A picture is as extreme as its most extreme
        layer, measured in that layer's median peak.
    """
    extreme = (peaks / np.median(peaks, axis=0)).max(axis=1)  # (n,)
    return sample[np.argsort(extreme, kind="stable")[: max(1, round(share * len(sample)))]]


def _peaks(gtzan: Gtzan, sample: Indices, spec: AudioSpec, backbone: Any) -> npt.NDArray[np.float32]:
    import keras

    *before, mobilenet = backbone.layers[1:]
    seen = [layer.output for layer in mobilenet.layers if layer.name.endswith(("relu", "add", "project_BN"))]
    probe = keras.Model(
        mobilenet.inputs, [keras.ops.max(keras.ops.abs(output), axis=(1, 2, 3)) for output in seen]
    )
    rows = []
    for start in range(0, len(sample), BATCH):
        pictures = np.stack([gtzan.picture(index, spec) for index in sample[start : start + BATCH]])
        x = pictures.astype(np.float32)
        for layer in before:
            x = layer(x)
        rows.append(np.stack(probe(x, training=False), axis=1))
    return np.concatenate(rows)  # (n, layers)
