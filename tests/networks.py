"""A network so small that training it is quick, with the ends of the one that ships."""

from __future__ import annotations

from typing import Any

from training.teacher import UNITS


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
    heard = keras.layers.Dense(UNITS, name="heard")(x)
    logits = keras.layers.Dense(genres + 1, name="logits")(keras.layers.Dropout(0.3)(x))
    return keras.Model(picture, [logits, heard]), first.trainable_variables
