"""Training of the GRU on stored features, beside the genre weights that were fitted to their means."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from training.data.batches import Floats
from training.networks.genre import GRU_UNITS

BATCH: Final = 256
PEAK_RATE: Final = 1e-3
WEIGHT_DECAY: Final = 1e-3
DROPOUT: Final = 0.4
"""Share of the feature channels that are set to 0 in a training window."""


class GenreWindows(NamedTuple):
    """Features of windows of known genre, and what they are trained on.

    Attributes
    ----------
    features : (n, TIME_STEPS, values) float16
        Outputs of the layer ``pooled_features``.
    targets : (n, genres) float32
        Probabilities of the genres. A row sums to the weight of its window.
    """

    features: npt.NDArray[np.float16]
    targets: Floats


def fit_gru(network: Any, windows: GenreWindows, epochs: int) -> None:
    """Train the GRU and the genre weights of its outputs. All other weights stay as they are.

    The logits of the fitted weights are part of the trained logits, so the GRU learns what the means over
    time do not tell. It has no part in the logit of music.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``, with fitted logits. Changed in place.
    windows : GenreWindows
    epochs : int
    """
    import keras
    import tensorflow as tf

    logits = network.get_layer("logits")
    kernel, bias = logits.get_weights()
    direct, genres = kernel[2 * GRU_UNITS :, :-1], kernel.shape[1] - 1
    fitted = np.concatenate(
        [
            windows.features[start : start + 4096].astype(np.float32).mean(axis=1) @ direct + bias[:-1]
            for start in range(0, len(windows.features), 4096)
        ]
    )
    x = keras.Input(windows.features.shape[1:], name="features")
    base = keras.Input((genres,), name="fitted")
    dropped = keras.layers.SpatialDropout1D(DROPOUT)(x)
    over_time = keras.ops.mean(network.get_layer("gru")(dropped), axis=1)
    beside = keras.layers.Dense(genres, kernel_initializer="zeros", use_bias=False)
    model = keras.Model([x, base], beside(over_time) + base)
    steps = max(1, epochs * -(-len(windows.features) // BATCH))
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(PEAK_RATE, steps), weight_decay=WEIGHT_DECAY
        ),
        lambda targets, predicted: -tf.reduce_sum(targets * tf.nn.log_softmax(predicted), axis=-1),
    )
    weights = windows.targets.sum(axis=1).mean()
    model.fit(
        [windows.features, fitted], windows.targets / weights, batch_size=BATCH, epochs=epochs, verbose=0
    )
    kernel[: 2 * GRU_UNITS, :-1] = beside.get_weights()[0]
    logits.set_weights([kernel, bias])
