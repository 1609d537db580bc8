"""What ``overheard analyze --explain`` adds: the picture the model saw, what of it mattered, the tempo."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier, Prediction
from models.occlusion import PATCH, STEP, occlusion
from realtime.audio.source import AudioBlock
from realtime.pipeline.analyzer import PreparedWindow

TEMPO_SECONDS = 90.0
"""Of the middle of a file: intros and ends often have another tempo, or none."""

LEAST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Best:
    probability: float
    seconds: float
    picture: npt.NDArray[np.uint8]


class ExplainedWindows:
    """For each genre the window that was heard as it most surely.

    Parameters
    ----------
    classifier : GenreClassifier
        Asked again for the map; not used by another thread by then.
    """

    def __init__(self, classifier: GenreClassifier) -> None:
        self._classifier = classifier
        self._best: dict[int, _Best] = {}

    def add(self, prepared: PreparedWindow, prediction: Prediction | None) -> None:
        """Take one window in."""
        if prediction is None or prepared.picture is None:
            return
        top = int(prediction.probabilities.argmax())
        probability = float(prediction.probabilities[top])
        if top not in self._best or probability > self._best[top].probability:
            seconds = prepared.window.position / self._classifier.manifest.audio.sample_rate
            self._best[top] = _Best(probability, seconds, prepared.picture)

    def message(self, file: str, label: str | None) -> dict[str, Any] | None:
        """The window of one genre, and the map of what mattered; None when there is none.

        Returns
        -------
        dict or None
            ``picture`` is base64 of (``side``, ``side``, 3) uint8, highest frequency first. ``falls``, rows
            of numbers: how much of ``probability`` is lost when a part is covered (``models.occlusion``).
        """
        manifest = self._classifier.manifest
        number = manifest.labels.index(label) if label in manifest.labels else -1
        if (best := self._best.get(number)) is None:
            return None
        falls = occlusion(
            lambda picture: float(self._classifier.predict(picture).probabilities[number]), best.picture
        )
        return {
            "type": "picture",
            "file": file,
            "label": label,
            "probability": round(best.probability, 4),
            "start_seconds": round(best.seconds, 3),
            "end_seconds": round(best.seconds + manifest.audio.window_seconds, 3),
            "side": best.picture.shape[0],
            "picture": base64.b64encode(best.picture.tobytes()).decode("ascii"),
            "patch": PATCH,
            "step": STEP,
            "falls": falls.round(4).tolist(),
        }


class TempoEstimator:
    """Keeps the middle of a file and tells its tempo.

    Parameters
    ----------
    duration_seconds : float or None
        Of the file; unknown, its beginning is taken.
    """

    def __init__(self, duration_seconds: float | None) -> None:
        self._from = max(0.0, ((duration_seconds or 0.0) - TEMPO_SECONDS) / 2)
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._rate = 0

    def add(self, block: AudioBlock) -> None:
        """Take one block in."""
        self._rate = block.sample_rate
        start = block.position / block.sample_rate
        if self._from <= start < self._from + TEMPO_SECONDS and len(block.samples):
            self._blocks.append(block.samples)

    def beats_per_minute(self) -> float | None:
        """The likeliest tempo; it may be half or twice what a person taps. None of too little sound.

        D. P. W. Ellis, Beat Tracking by Dynamic Programming (2007), as ``librosa.feature.tempo`` has it.
        """
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        if len(samples) < LEAST_SECONDS * max(1, self._rate):
            return None
        import librosa

        onsets = librosa.onset.onset_strength(y=samples, sr=self._rate)
        if not np.isfinite(onsets).all() or onsets.max() <= 0:
            return None
        return round(float(librosa.feature.tempo(onset_envelope=onsets, sr=self._rate)[0]), 1)
