"""Real TFLite model with tags and an embedding, so small that converting it takes a moment."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.manifest import ModelManifest, Tag

EMBEDDING_SIZE = 8
TAGS = (
    Tag("house", "style", 0.3),
    Tag("calm", "mood", 0.3),
    Tag("energetic", "mood", 0.3),
    Tag("female voice", "voice", 0.3),
    Tag("guitar", "instrument", 0.3),
    Tag("80s", "era", 0.3),
)


@pytest.fixture(scope="session")
def tagged_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the manifest of a model whose outputs depend on the brightness of bands of the image."""
    from training.export import read_quantization

    path = tmp_path_factory.mktemp("tagged") / "genre.json"
    shipped = ModelManifest.load()
    content = build_model(shipped.audio.image_size, len(shipped.labels) + 1)
    manifest = replace(
        shipped,
        name="tagged",
        file="genre.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        quantization=read_quantization(content),
        calibration=replace(shipped.calibration, temperature=1.0, unsure_below=0.1, music_above=0.3),
        tags=TAGS,
        embedding_size=EMBEDDING_SIZE,
    )
    manifest.save(path)
    path.with_name("genre.tflite").write_bytes(content)
    return path


def build_model(size: int, logits: int) -> bytes:
    """Convert a network to int8. Its random weights are the same each time."""
    import keras

    from training.export import TracedModel

    image = keras.Input((size, size, 3))
    bands = keras.layers.AveragePooling2D((size // 8, size))(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Flatten()(bands)

    def output(units: int) -> Any:
        weights = keras.initializers.RandomNormal(stddev=3.0, seed=units)
        return keras.layers.Dense(units, kernel_initializer=weights)(x)

    network = keras.Model(image, [output(logits), output(len(TAGS)), output(EMBEDDING_SIZE)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow warns of statistics that it does not need
        return TracedModel(network).convert(iter(sample_images(size)))


def sample_images(size: int) -> list[npt.NDArray[np.uint8]]:
    """Return images, (size, size, 3), that give the ranges of the quantization."""
    random = np.random.default_rng(3)
    flat = [np.full((size, size, 3), value, np.uint8) for value in (0, 255)]
    bands = random.integers(0, 256, (20, 8, 1, 3)).repeat(size // 8, axis=1).repeat(size, axis=2)
    return [*flat, *bands.astype(np.uint8)]
