"""Networks so small that training and converting them is quick, with the shipped one's input and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from training.data.gtzan import LABELS
from training.data.targets import EMBEDDING_SIZE
from training.networks import pretrained

KEPT_BLOCKS = tuple(f"block_{number}_" for number in (1, 3, 4, 6, 13))
"""Blocks of MobileNetV2 that are kept: those that halve the image, and one with a residual connection."""


def small(seed: int, genres: int) -> tuple[Any, list[Any]]:
    """Build a network from pooled pixels to logits of genres and music, and to embeddings.

    Returns
    -------
    keras.Model, list
        The first layer's variables take the place of the backbone's.
    """
    import keras

    keras.utils.set_random_seed(seed)
    first = keras.layers.Dense(16, activation="relu")
    image = keras.Input((128, 128, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(image)
    x = first(keras.layers.Flatten()(keras.layers.AveragePooling2D((8, 32))(x)))
    embedding = keras.layers.Dense(EMBEDDING_SIZE, name="embedding")(x)
    logits = keras.layers.Dense(genres + 1, name="logits")(keras.layers.Dropout(0.3)(x))
    return keras.Model(image, [logits, embedding]), first.trainable_variables


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Make ``networks.genre.build_backbone`` build 6 of MobileNetV2's 17 blocks, with ImageNet's weights.

    Tracing and converting take time for each layer, and the omitted layers are like the others. Two
    convolutions get another input with fewer channels than before: the first ones of their kernels.
    """
    import keras

    whole = keras.applications.MobileNetV2((128, 128, 3), include_top=False, weights=None)
    names = [weight.path for weight in whole.weights]

    def short(shape: tuple[int, ...], **options: Any) -> Any:
        assert (shape, options) == ((128, 128, 3), {"include_top": False, "weights": None})

        def connect(layer: Any, *inputs: Any, **named: Any) -> Any:
            if layer.name.startswith("block_") and not layer.name.startswith(KEPT_BLOCKS):
                return inputs[0][0] if isinstance(inputs[0], list) else inputs[0]
            return layer(*inputs, **named)

        return keras.models.clone_model(whole, call_function=connect)

    def load(model: Any) -> None:
        with np.load(pretrained.IMAGENET_WEIGHTS) as arrays:
            by_name = dict(zip(names, arrays.values(), strict=True))
        model.set_weights([by_name[w.path][tuple(map(slice, w.shape))] for w in model.weights])

    patch.setattr("keras.applications.MobileNetV2", short)
    patch.setattr("training.networks.genre.load_imagenet_weights", load)


@contextmanager
def untraced() -> Iterator[None]:
    """Run functions under ``tf.function`` step by step. For a few steps, tracing takes longer."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a small network: tracing the shipped one takes half a minute, and ``released`` does so."""
    monkeypatch.setattr(
        "training.finetuning.train.build_network", lambda backbone, intensities, **_: small(0, len(LABELS))
    )
