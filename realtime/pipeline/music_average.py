"""Mean predictions of a track or of a part of one, over the windows that are music."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from models.classifier import NO_EMBEDDING, Prediction
from models.manifest import ModelManifest
from models.mood import Mood
from realtime.pipeline.tags import SelectedTags, TagSelector, mood_of_tags
from realtime.protocol.builders import mood_payload

EMBEDDING_DIGITS: Final = 6
"""Decimal digits of the values of an embedding of length 1. A float32 has about seven digits."""


class MusicAverage:
    """Mean of the predictions over the windows that are music.

    Parameters
    ----------
    manifest : ModelManifest
    music_above : float, optional
        Smallest probability of music at which a window counts as music. With 0 all windows count. By default
        the threshold of the manifest applies.

    Attributes
    ----------
    windows : int
        Number of windows that count as music.
    """

    def __init__(self, manifest: ModelManifest, music_above: float | None = None) -> None:
        self._music_above = (manifest.calibration.music_above or 0.0) if music_above is None else music_above
        self._model_tags = manifest.tags
        self._genres = np.zeros(len(manifest.labels))
        self._tags = np.zeros(len(manifest.tags))
        self._embedding = np.zeros(manifest.embedding_size)
        self.windows = 0

    def add(self, prediction: Prediction | None) -> None:
        """Add the prediction of one window. None, for a window that was not classified, is ignored."""
        if prediction is not None and prediction.music >= self._music_above:
            self._genres += prediction.probabilities
            self._tags += prediction.tags
            self._embedding += prediction.embedding
            self.windows += 1

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Mean probabilities, (genres,) float64. The sum is 1, or 0 while ``windows`` is 0."""
        return self._genres / max(1, self.windows)

    @property
    def tags(self) -> SelectedTags:
        """Tags whose mean probabilities reach their thresholds, the most probable first."""
        return TagSelector(self._model_tags).select(self._tags / self.windows) if self.windows else ()

    @property
    def mood(self) -> Mood | None:
        """Mood of the mean tags. None while ``windows`` is 0, or if the model has no mood words."""
        return mood_of_tags(self._model_tags, self._tags / self.windows) if self.windows else None

    def describe(self) -> dict[str, Any]:
        """Return tags and mood as JSON, rounded as in messages."""
        kinds = {tag.name: tag.kind for tag in self._model_tags}
        return {
            "tags": [
                {"name": name, "kind": kinds[name], "probability": round(p, 4)} for name, p in self.tags
            ],
            "mood": msgspec.to_builtins(mood_payload(self.mood)),
        }

    @property
    def embedding_values(self) -> list[float] | None:
        """Embedding as JSON. None while ``windows`` is 0, or if the model has no embedding."""
        return [round(float(each), EMBEDDING_DIGITS) for each in self.embedding] or None

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """Mean embedding of length 1, (embedding_size,) float32.

        The array is empty while ``windows`` is 0, or if the model has no embedding.
        """
        length = float(np.linalg.norm(self._embedding))
        return (self._embedding / length).astype(np.float32) if length > 0 else NO_EMBEDDING
