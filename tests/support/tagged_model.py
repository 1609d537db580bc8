"""Real TFLite model with tags and an embedding, so small that converting it takes a moment."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    path = tmp_path_factory.mktemp("tagged") / "genre.json"
    shipped = ModelManifest.load()
    content = build_model(shipped.audio.image_size, len(shipped.labels) + 1)
    manifest = replace(
        shipped,
        name="tagged",
        file="genre.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        calibration=replace(shipped.calibration, temperature=1.0, unsure_below=0.1, music_above=0.3),
        tags=TAGS,
        embedding_size=EMBEDDING_SIZE,
    )
    manifest.save(path)
    path.with_name("genre.tflite").write_bytes(content)
    return path


def build_model(size: int, logits: int) -> bytes:
    """Convert a network. Its random weights are the same each time."""
    import keras

    from training.export import convert

    image = keras.Input((size, size, 3))
    bands = keras.layers.AveragePooling2D((size // 8, size))(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Flatten()(bands)

    def output(units: int) -> Any:
        weights = keras.initializers.RandomNormal(stddev=3.0, seed=units)
        return keras.layers.Dense(units, kernel_initializer=weights)(x)

    network = keras.Model(image, [output(logits), output(len(TAGS)), output(EMBEDDING_SIZE)])
    return convert(network)
