"""Mean embedding of the sound that was heard last, computed when somebody asks for it."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from models.classifier import Prediction
from models.manifest import ModelManifest
from realtime.clock import Clock
from realtime.pipeline.music_average import MusicAverage

RECENT_SECONDS: Final = 30.0
"""Seconds that the embedding covers. Shorter ones change within a song, longer ones mix songs."""


class RecentSound:
    """Predictions of the last ``RECENT_SECONDS`` of one source. Any thread may call the methods.

    Parameters
    ----------
    source : str
        Name of the source.
    manifest : ModelManifest
    clock : Clock
    """

    def __init__(self, source: str, manifest: ModelManifest, clock: Clock) -> None:
        self._source = source
        self._manifest = manifest
        self._clock = clock
        self._windows: deque[tuple[float, Prediction]] = deque()
        self._lock = threading.Lock()

    def add(self, prediction: Prediction | None, captured_at: float) -> None:
        """Add the prediction of a window. None, for a window that was not classified, is ignored."""
        if prediction is not None:
            with self._lock:
                self._windows.append((captured_at, prediction))
                while captured_at - self._windows[0][0] > RECENT_SECONDS:
                    self._windows.popleft()

    def describe(self) -> dict[str, Any]:
        """Return the document of ``/sound``: source, model, and the embedding, or null without music."""
        oldest = self._clock.monotonic() - RECENT_SECONDS
        with self._lock:
            recent = [prediction for captured_at, prediction in self._windows if captured_at >= oldest]
        average = MusicAverage(self._manifest)
        for prediction in recent:
            average.add(prediction)
        return {
            "source": self._source,
            "model": self._manifest.identity,
            "windows": average.windows,
            "embedding": average.embedding_values,
        }
