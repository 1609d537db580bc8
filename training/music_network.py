"""The network that ships: MobileNetV2 on a pooled picture, a GRU over time, genres and "music".

The picture is averaged over 4 columns first (57 or 83 STFT columns were stretched to 256 pixels); rows are
kept, for frozen features of half as many are 7 to 9 points less accurate (``REPORT.md``). And
the last stride is taken over frequency only, so that four time steps are left for the GRU at a quarter of
the study network's arithmetic.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from training.augment import COLUMN_POOLING
from training.imagenet import load_weights
from training.network import IMAGE_SIZE, TORCHVISION_MEAN, TORCHVISION_STD, normalize
from training.teacher import UNITS

HEIGHT: Final = IMAGE_SIZE
WIDTH: Final = IMAGE_SIZE // COLUMN_POOLING
STEPS: Final = 4
GRU_UNITS: Final = 64
_LAST_STRIDE: Final = "block_13"


def backbone(*, imagenet: bool = True) -> Any:
    """MobileNetV2 (alpha 1, no top) that keeps four time steps.

    Parameters
    ----------
    imagenet : bool
        Fill it with ImageNet's weights; otherwise they are random.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) normalized RGB -> (n, 8 frequencies, 4 times, 1280).
    """
    import keras

    near_edges = ((1, 0), (1, 0))  # PyTorch's side, whose weights these are

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name == f"{_LAST_STRIDE}_pad":
            config["padding"] = ((1, 1), (1, 1))
        elif isinstance(layer, keras.layers.ZeroPadding2D):
            config["padding"] = near_edges
        elif layer.name == "Conv1":
            config["padding"] = "valid"
        elif layer.name == f"{_LAST_STRIDE}_depthwise":
            config["strides"] = (1, 1)  # TensorFlow trains no depthwise layer with unequal strides
        elif isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 0.98
        return layer.__class__.from_config(config)

    def connect(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer.name == "Conv1":
            inputs = (keras.layers.ZeroPadding2D(near_edges, name="Conv1_pad")(*inputs),)
        outputs = layer(*inputs, **options)
        return outputs[:, ::2] if layer.name == f"{_LAST_STRIDE}_depthwise" else outputs

    plain = keras.applications.MobileNetV2((HEIGHT, WIDTH, 3), include_top=False, weights=None)
    model = keras.models.clone_model(plain, clone_function=copy, call_function=connect)
    if imagenet:
        load_weights(model)
    return model


def student(features: Any, targets: int) -> Any:
    """Network that learns what the teacher hears.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) pixels 0..255 -> (n, targets).
    """
    import keras

    picture = keras.Input((HEIGHT, WIDTH, 3), name="pooled_picture")
    x = features(normalize(picture))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(picture, keras.layers.Dense(targets, name="heard")(x), name="student")


def classifier(features: Any, genres: int, *, dropout: float = 0.4, training: bool | None = False) -> Any:
    """The whole network on pooled pixels.

    Parameters
    ----------
    features : keras.Model
        From ``backbone``.
    training : bool or None
        False keeps the batch normalizations' statistics as they are, also while training.

    Returns
    -------
    keras.Model
        (n, 256, 64, 3) pixels 0..255 -> (n, genres + 1) logits, the last that of "music", and (n, 250) of
        what the teacher would hear; the second is for training and does not ship.
    """
    import keras

    picture = keras.Input((HEIGHT, WIDTH, 3), name="pooled_picture")
    x = features(normalize(picture), training=training)
    heard = keras.layers.Dense(UNITS, name="heard")(keras.layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(picture, [tail(x, genres, dropout), heard], name="classifier")


def tail(x: Any, genres: int, dropout: float = 0.0) -> Any:
    """From (n, 8, 4, 1280) features to logits; layers are named, so that weights can be carried over."""
    import keras

    x = keras.ops.mean(x, axis=1)  # over frequency: (n, 4 times, 1280)
    if dropout:
        x = keras.layers.SpatialDropout1D(dropout, name="dropout")(x)
    pooled = keras.ops.mean(x, axis=1)
    gru = keras.layers.GRU(GRU_UNITS, return_sequences=True, unroll=True)
    moved = keras.ops.mean(keras.layers.Bidirectional(gru, name="gru")(x), axis=1)
    both = keras.layers.Concatenate(name="beside")([moved, pooled])
    return keras.layers.Dense(genres + 1, kernel_initializer="zeros", name="logits")(both)


def for_export(trained: Any, genres: int) -> Any:
    """The same network on the whole picture, averaging and normalization inside the first kernel.

    Both are linear, so the first kernel takes them in. The columns that are averaged stand beside each
    other in memory: read as channels of one column, they cost nothing and fill the processor's vectors.
    Only the padding is not exact: a normalized 0 is another pixel value in each channel, and one
    value pads all three, their mean.

    Returns
    -------
    keras.Model
        (n, 256, 256, 3) pixels 0..255 -> (n, genres + 1) logits.
    """
    import keras

    features = next(layer for layer in trained.layers if isinstance(layer, keras.Model))
    first = features.get_layer("Conv1")
    scale = 1 / (255 * np.array(TORCHVISION_STD))
    offset = -np.array(TORCHVISION_MEAN) / np.array(TORCHVISION_STD)
    (kernel,) = first.get_weights()  # (3, 3, channels, filters)
    wide = np.repeat(kernel * scale[:, np.newaxis], COLUMN_POOLING, 1)
    wide = wide.reshape(*kernel.shape[:2], -1, kernel.shape[-1]) / COLUMN_POOLING
    bias = (kernel * offset[:, np.newaxis]).sum(axis=(0, 1, 2))

    picture = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="picture")
    grey = round(255 * sum(TORCHVISION_MEAN) / 3)
    columns = keras.layers.Reshape((HEIGHT, WIDTH, wide.shape[2]), name="columns")(picture)
    padded = keras.ops.pad(columns, ((0, 0), (1, 0), (1, 0), (0, 0)), constant_values=grey)
    folded = keras.layers.Conv2D(kernel.shape[-1], wide.shape[:2], strides=2, name="folded")
    x = folded(padded)
    folded.set_weights([wide, bias])
    rest = keras.Model(first.output, features.output, name="after_first")
    whole = keras.Model(picture, tail(rest(x, training=False), genres), name="network")
    for name in ("gru", "logits"):
        whole.get_layer(name).set_weights(trained.get_layer(name).get_weights())
    return whole
