"""Explain the analysis of a file: its most probable window, the important parts of the image, the tempo."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier, Prediction
from models.occlusion import PATCH, STEP, compute_importance
from realtime.audio.source import AudioBlock
from realtime.pipeline.analyzer import PreparedWindow

TEMPO_SECONDS = 90.0
"""Length of the middle of a file that gives the tempo. Beginnings and ends often differ or have no tempo."""

MIN_TEMPO_SECONDS = 10.0
"""Shortest audio that gives a tempo."""


@dataclass(frozen=True, slots=True)
class _BestWindow:
    probability: float
    seconds: float
    image: npt.NDArray[np.uint8]


class ExplainedWindows:
    """Window with the highest probability of each genre.

    Parameters
    ----------
    classifier : GenreClassifier
        Computes the map of importance. No other thread may use the classifier at the same time.
    """

    def __init__(self, classifier: GenreClassifier) -> None:
        self._classifier = classifier
        self._best: dict[int, _BestWindow] = {}

    def add(self, prepared: PreparedWindow, prediction: Prediction | None) -> None:
        """Add one window."""
        if prediction is None or prepared.image is None:
            return
        top = int(prediction.probabilities.argmax())
        probability = float(prediction.probabilities[top])
        if top not in self._best or probability > self._best[top].probability:
            seconds = prepared.window.position / self._classifier.manifest.audio.sample_rate
            self._best[top] = _BestWindow(probability, seconds, prepared.image)

    def explain(self, file: str, label: str | None) -> dict[str, Any] | None:
        """Describe the best window of one genre and the importance of its parts.

        Parameters
        ----------
        file : str
            Name of the file, for the description.
        label : str or None
            Genre.

        Returns
        -------
        dict or None
            ``picture`` is base64 of (``side``, ``side``, 3) uint8, highest frequency first. ``falls`` has
            rows of numbers: the decrease of ``probability`` if a part is covered (``models.occlusion``). None
            if no window has this genre.
        """
        manifest = self._classifier.manifest
        index = manifest.labels.index(label) if label in manifest.labels else -1
        if (best := self._best.get(index)) is None:
            return None
        importance = compute_importance(
            lambda image: float(self._classifier.predict(image).probabilities[index]), best.image
        )
        return {
            "type": "picture",
            "file": file,
            "label": label,
            "probability": round(best.probability, 4),
            "start_seconds": round(best.seconds, 3),
            "end_seconds": round(best.seconds + manifest.audio.window_seconds, 3),
            "side": best.image.shape[0],
            "picture": base64.b64encode(best.image.tobytes()).decode("ascii"),
            "patch": PATCH,
            "step": STEP,
            "falls": importance.round(4).tolist(),
        }


class TempoEstimator:
    """Estimator of a file's tempo from its middle part.

    Parameters
    ----------
    duration_seconds : float or None
        Duration of the file. If it is unknown, the beginning of the file is used.
    """

    def __init__(self, duration_seconds: float | None) -> None:
        self._from = max(0.0, ((duration_seconds or 0.0) - TEMPO_SECONDS) / 2)
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._rate = 0

    def add(self, block: AudioBlock) -> None:
        """Add one block."""
        self._rate = block.sample_rate
        start = block.position / block.sample_rate
        if self._from <= start < self._from + TEMPO_SECONDS and len(block.samples):
            self._blocks.append(block.samples)

    def beats_per_minute(self) -> float | None:
        """Estimate the most likely tempo, which may be half or twice the tempo that a person taps.

        The method is from D. P. W. Ellis, Beat Tracking by Dynamic Programming (2007), as implemented in
        ``librosa.feature.tempo``.

        Returns
        -------
        float or None
            None if the audio is too short or has no onsets.
        """
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        if len(samples) < MIN_TEMPO_SECONDS * max(1, self._rate):
            return None
        import librosa

        onsets = librosa.onset.onset_strength(y=samples, sr=self._rate)
        if not np.isfinite(onsets).all() or onsets.max() <= 0:
            return None
        return round(float(librosa.feature.tempo(onset_envelope=onsets, sr=self._rate)[0]), 1)
