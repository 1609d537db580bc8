"""What the analyzer says: an estimate of the genre, and the state of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class StreamState(StrEnum):
    """What is going on; different things have different names."""

    CONNECTING = "CONNECTING"
    """The source is being opened."""
    WARMING_UP = "WARMING_UP"
    """Sound arrives, the first window is not full yet."""
    LISTENING = "LISTENING"
    """A genre is heard with confidence."""
    UNSURE = "UNSURE"
    """Sound is heard, no genre with confidence."""
    NOT_MUSIC = "NOT_MUSIC"
    """Sound is heard that is no music."""
    SILENT = "SILENT"
    """Nothing is playing, or again but for less than half a window."""
    STALLED = "STALLED"
    """The source delivers nothing, not even silence."""
    RECOVERING = "RECOVERING"
    """The source was lost and is being opened again."""
    PAUSED = "PAUSED"
    """Somebody asked for a pause: the source is closed, and nothing is heard until it is resumed."""
    ENDED = "ENDED"
    """The source came to its end."""
    FAILED = "FAILED"
    """The source or the analyzer broke; the detail says how."""


@dataclass(frozen=True, slots=True)
class GenreEstimate:
    """The smoothed answer after one window.

    ``label`` is the most probable genre, None only when no music was heard at all; ``stable_label``
    follows it only after the switch margin was held, for headlines and recommendations;
    ``confidence`` is the probability of ``label``; ``probabilities`` sum to 1 (all 0 when no music
    was heard); ``state`` is LISTENING, UNSURE, NOT_MUSIC or SILENT; ``position`` (samples at the
    model's rate) and ``captured_at`` (monotonic seconds) are those of the window's first and last
    sample; ``music`` is the probability that it is music, None from a model that does not say.

    In NOT_MUSIC and SILENT labels and probabilities are those of the last music: nothing of what is
    playing now.
    """

    label: str | None
    stable_label: str | None
    confidence: float
    probabilities: Mapping[str, float]
    state: StreamState
    position: int
    captured_at: float
    level_dbfs: float
    has_gap: bool
    inference_ms: float
    music: float | None = None
