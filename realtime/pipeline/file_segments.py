"""Segments of a file: consecutive estimates of one state and label, with the words for their music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.classifier import Prediction
from models.manifest import ModelManifest
from realtime.pipeline.music_average import MusicAverage
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage


@dataclass(slots=True)
class _Segment:
    """Segment that may still grow. ``label`` is None unless the state is LISTENING."""

    state: StreamState
    label: str | None
    start_seconds: float
    end_seconds: float
    music: MusicAverage


class FileSegments:
    """Segments of one file, built from its estimates.

    Parameters
    ----------
    manifest : ModelManifest
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self._manifest = manifest
        self._segments: list[_Segment] = []

    def add(self, message: EstimateMessage, prediction: Prediction | None) -> None:
        """Add the estimate of one window, and the prediction that it is based on."""
        estimate, end = message.estimate, message.end_seconds
        state = estimate.state
        label = estimate.stable_label if state is StreamState.LISTENING else None
        last = self._segments[-1] if self._segments else None
        if last is None or (last.state, last.label) != (state, label):
            last = _Segment(state, label, end, end, MusicAverage(self._manifest))
            self._segments.append(last)
        last.end_seconds = end
        if state.has_genre:
            last.music.add(prediction)

    def describe(self) -> list[dict[str, Any]]:
        """Return the segments as JSON, in order.

        ``start_seconds`` and ``end_seconds`` are the ends of the first and of the last window.
        """
        return [
            {
                "state": each.state.value,
                "label": each.label,
                "start_seconds": each.start_seconds,
                "end_seconds": each.end_seconds,
            }
            | each.music.describe()
            for each in self._segments
        ]
