"""Networks so small that training and converting them is quick, with the ends of the one that ships."""

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
"""Of MobileNetV2's 16 numbered ones those that halve the picture, and one that adds itself to its input."""


def small(seed: int, genres: int) -> tuple[Any, list[Any]]:
    """Pooled pixels to logits of the genres and of music, and to what is heard.

    Returns
    -------
    keras.Model, list
        The first layer's variables stand for the backbone's.
    """
    import keras

    keras.utils.set_random_seed(seed)
    first = keras.layers.Dense(16, activation="relu")
    picture = keras.Input((256, 64, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(picture)
    x = first(keras.layers.Flatten()(keras.layers.AveragePooling2D((8, 32))(x)))
    embedding = keras.layers.Dense(EMBEDDING_SIZE, name="embedding")(x)
    logits = keras.layers.Dense(genres + 1, name="logits")(keras.layers.Dropout(0.3)(x))
    return keras.Model(picture, [logits, embedding]), first.trainable_variables


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Let ``networks.genre.build_backbone`` have 6 of MobileNetV2's 17 blocks, with ImageNet's weights.

    Tracing and converting take time by the layer, and the layers that are left out are like those kept.
    Two convolutions follow others than they did and see fewer channels: the first of those that they knew.
    """
    import keras

    whole = keras.applications.MobileNetV2((256, 64, 3), include_top=False, weights=None)
    names = [weight.path for weight in whole.weights]

    def short(shape: tuple[int, ...], **options: Any) -> Any:
        assert (shape, options) == ((256, 64, 3), {"include_top": False, "weights": None})

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
    """Run what ``tf.function`` wraps step by step: for a few steps, tracing takes longer than they do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is small: tracing the network that ships takes half a minute, and ``released`` does."""
    monkeypatch.setattr(
        "training.finetuning.train.build_network", lambda taught, places: small(0, len(LABELS))
    )
