"""Classifier that predicts the genre from the brightest row of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import Prediction
from models.manifest import Calibration, ModelManifest, Quantization, TensorQuantization
from models.spectrogram.spec import AudioSpec

LABELS = ("blues", "jazz", "rock")


def manifest(
    audio: AudioSpec | None = None, unsure_below: float = 0.5, music_above: float | None = None
) -> ModelManifest:
    tensor = TensorQuantization("int8", 1.0, -128)
    return ModelManifest(
        name="fake",
        version="1",
        file="fake.tflite",
        sha256="0" * 64,
        labels=LABELS,
        audio=audio or AudioSpec(),
        quantization=Quantization("int8", tensor, tensor),
        calibration=Calibration(1.0, unsure_below, "nothing", music_above),
        metrics={},
        training_data=("nothing",),
        licence="MIT",
        model_path=Path("fake.tflite"),
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
    """

    runtime = "fake 1"

    def __init__(
        self, audio: AudioSpec | None = None, confidence: float = 0.8, talk: str | None = None
    ) -> None:
        self.manifest = manifest(audio, music_above=None if talk is None else 0.5)
        self.confidence = confidence
        self.talk = talk
        self.calls = 0

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        self.calls += 1
        brightness = picture.astype(np.float64).sum(axis=(1, 2))[::-1]  # lowest frequency first
        third = min(2, 3 * int(brightness.argmax()) // len(brightness))
        probabilities = np.full(3, (1 - self.confidence) / 2)
        probabilities[third] = self.confidence
        if self.talk is None:
            return Prediction(probabilities, 1.0)
        return Prediction(probabilities, 1.0, 0.05 if LABELS[third] == self.talk else 0.95)
