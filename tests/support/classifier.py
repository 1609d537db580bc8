"""Classifier that predicts the genre from the brightest row of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import Prediction
from models.manifest import Calibration, ModelManifest, Tag
from models.spectrogram.spec import AudioSpec

LABELS = ("blues", "jazz", "rock")

TAGS = (
    Tag("guitar", "instrument", 0.5),
    Tag("calm", "mood", 0.4),
    Tag("energetic", "mood", 0.4),
    Tag("house", "style", 0.5),
)
TAG_PROBABILITIES = ((0.9, 0.6, 0.05, 0.1), (0.1, 0.7, 0.05, 0.1), (0.7, 0.05, 0.8, 0.2))
"""Probabilities of the tags, by genre."""


def manifest(
    audio: AudioSpec | None = None,
    unsure_below: float = 0.5,
    music_above: float | None = None,
    tags: tuple[Tag, ...] = (),
) -> ModelManifest:
    """Return a manifest without a model file. With tags it has an embedding of one value for each genre."""
    return ModelManifest(
        name="fake",
        version="1",
        file="fake.tflite",
        sha256="0" * 64,
        labels=LABELS,
        audio=audio or AudioSpec(),
        quantization="none",
        calibration=Calibration(1.0, unsure_below, "nothing", music_above),
        metrics={},
        training_data=("nothing",),
        licence="MIT",
        model_path=Path("fake.tflite"),
        tags=tags,
        embedding_size=len(LABELS) if tags else 0,
    )


class LoudestRowClassifier:
    """Classifier that predicts blues, jazz or rock if the lower, middle or upper third has the brightest row.

    Parameters
    ----------
    audio : AudioSpec, optional
        Input of the classifier.
    confidence : float
        Probability of the predicted genre.
    talk : str, optional
        Genre that counts as talk: the probability of music is 0.05 for it and 0.95 for the others. None
        turns the detection of music off.
    tags : bool
        Predict ``TAGS``, and an embedding of 2 in the place of the genre.
    """

    runtime = "fake 1"

    def __init__(
        self,
        audio: AudioSpec | None = None,
        confidence: float = 0.8,
        talk: str | None = None,
        tags: bool = False,
    ) -> None:
        self.manifest = manifest(audio, music_above=None if talk is None else 0.5, tags=TAGS if tags else ())
        self.confidence = confidence
        self.talk = talk
        self.calls = 0

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        self.calls += 1
        brightness = picture.astype(np.float64).sum(axis=(1, 2))[::-1]  # lowest frequency first
        third = min(2, 3 * int(brightness.argmax()) // len(brightness))
        probabilities = np.full(3, (1 - self.confidence) / 2)
        probabilities[third] = self.confidence
        music = 1.0 if self.talk is None else 0.05 if LABELS[third] == self.talk else 0.95
        if not self.manifest.tags:
            return Prediction(probabilities, 1.0, music)
        embedding = 2 * np.eye(3, dtype=np.float32)[third]
        return Prediction(probabilities, 1.0, music, np.array(TAG_PROBABILITIES[third]), embedding)
