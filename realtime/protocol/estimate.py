"""Genre estimates and stream states, the values that the messages carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.mood import Mood
from realtime.protocol.described import DescribedEnum


class StreamState(DescribedEnum):
    """State of a source's stream."""

    CONNECTING = "CONNECTING", "The source is being opened."
    WARMING_UP = "WARMING_UP", "Audio arrives, but the first window is not full yet."
    LISTENING = "LISTENING", "Music plays, and the model is confident of its genre."
    UNSURE = "UNSURE", "Music plays, but no genre reaches the confidence threshold."
    NOT_MUSIC = "NOT_MUSIC", "Audio arrives that the model classifies as something other than music."
    SILENT = (
        "SILENT",
        "The source delivers silence, or audio that fills less than half a window after a silence.",
    )
    STALLED = "STALLED", "The source is open but delivers nothing, not even silence."
    RECOVERING = "RECOVERING", "The source was lost and is being reopened."
    PAUSED = "PAUSED", "A client paused the analysis; the source is closed until a client resumes it."
    ENDED = "ENDED", "The source reached its end, or another source has taken its place."
    FAILED = "FAILED", "The source or the analyzer failed permanently. The detail has the reason."

    @property
    def has_estimate(self) -> bool:
        """True for the states that estimates carry. State messages alone carry the other states."""
        return self.has_genre or self in (StreamState.NOT_MUSIC, StreamState.SILENT)

    @property
    def has_genre(self) -> bool:
        """True if the probabilities describe the music that plays, not the music before it."""
        return self in (StreamState.LISTENING, StreamState.UNSURE)

    @property
    def is_final(self) -> bool:
        """True if no message of the source follows."""
        return self in (StreamState.ENDED, StreamState.FAILED)

    @property
    def is_closed(self) -> bool:
        """True if the source is closed on purpose or permanently, which ends a session of the history."""
        return self.is_final or self is StreamState.PAUSED

    @property
    def is_fault(self) -> bool:
        """True if the source delivers nothing although it should."""
        return self in (StreamState.FAILED, StreamState.STALLED, StreamState.RECOVERING)

    @property
    def is_silent_source(self) -> bool:
        """True if the source should deliver audio but delivers none. The next audio ends these states."""
        return self in (StreamState.CONNECTING, StreamState.STALLED, StreamState.RECOVERING)


@dataclass(frozen=True, slots=True)
class GenreEstimate:
    """Smoothed result of one window.

    In NOT_MUSIC and SILENT, labels and probabilities are those of the last music. Tags and mood describe the
    music that plays, so these states have none.

    Attributes
    ----------
    label : str or None
        Most probable genre. None before any music was recognized.
    stable_label : str or None
        Genre for headlines and recommendations. It follows ``label`` after another genre has kept its lead.
    confidence : float
        Probability of ``label``.
    probabilities : mapping of str to float
        Probability of each genre. They sum to 1, or all are 0 before any music was recognized.
    state : StreamState
        State with ``has_estimate``.
    position : int
        First sample of the window in the stream, at the model's rate.
    captured_at : float
        Monotonic seconds at which the window's last sample was captured.
    level_dbfs : float
    has_gap : bool
        Audio was lost within the window.
    inference_ms : float
        Time that the model took.
    music : float or None
        Probability of music. None if the model does not detect music.
    tags : tuple of (str, float)
        Names and probabilities of the words that describe the music, the most probable first.
    mood : Mood or None
        None if no music plays or if the model has no mood words.
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
    tags: tuple[tuple[str, float], ...] = ()
    mood: Mood | None = None
