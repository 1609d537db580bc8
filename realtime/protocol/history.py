"""Documents of ``GET /history``: the list of sessions, and one session with its segments and events."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import ESTIMATE_STATES, Probability
from realtime.protocol.requests import RowNumber

UnixSeconds: TypeAlias = Annotated[float, Meta(ge=0, lt=1e11)]
"""Python's calendar ends before 1e11 seconds, in the year 5138."""
Seconds: TypeAlias = Annotated[float, Meta(ge=0, lt=1e11)]
Total: TypeAlias = Annotated[int, Meta(ge=0, lt=10**11)]
"""Count over the whole history."""


class HistorySummary(Struct, frozen=True, kw_only=True):
    """One session: a source from its opening to its end or pause."""

    id: RowNumber
    source: Annotated[str, Meta(description="Name of the source.")]
    started: Annotated[UnixSeconds, Meta(description="Unix seconds.")]
    last_seen_at: Annotated[UnixSeconds, Meta(description="Unix seconds of the last message.")]
    ended: Annotated[UnixSeconds | None, Meta(description="Unix seconds; null while the session runs.")]
    running: bool
    seconds: Annotated[
        dict[str, Seconds],
        Meta(description="Audio by genre, and by state in capitals where no genre was recognized."),
    ]

    @property
    def until(self) -> float:
        """Unix seconds of the end, or of the last message while the session runs."""
        return self.last_seen_at if self.ended is None else self.ended


class HistorySegment(Struct, frozen=True, kw_only=True):
    """Consecutive estimates of one state, and in LISTENING of one genre."""

    number: RowNumber
    state: Annotated[StreamState, Meta(extra_json_schema={"enum": ESTIMATE_STATES})]
    genre: Annotated[str | None, Meta(description="The most probable genre; null in NOT_MUSIC and SILENT.")]
    started: Annotated[UnixSeconds, Meta(description="Unix seconds.")]
    ended: Annotated[UnixSeconds, Meta(description="Unix seconds.")]
    seconds: Annotated[Seconds, Meta(description="Audio in the segment.")]
    confidence: Annotated[Probability | None, Meta(description="Mean probability of the genre.")]
    correction: Annotated[str | None, Meta(description="The genre that a person gave the segment.")]
    tags: Annotated[
        list[str],
        Meta(description="Words of at least half of the segment's estimates, the most probable first."),
    ] = []

    @property
    def effective_genre(self) -> str | None:
        """The correction if there is one, else the predicted genre in LISTENING. None in other states."""
        return self.correction or (self.genre if self.state is StreamState.LISTENING else None)

    def __post_init__(self) -> None:
        """Reject a state that segments do not have.

        Raises
        ------
        ValueError
            If ``state.has_estimate`` is false.
        """
        if not self.state.has_estimate:
            raise ValueError(f"no segment has state {self.state}; it is one of {', '.join(ESTIMATE_STATES)}")


class HistoryEvent(Struct, frozen=True, kw_only=True):
    """Something that happened at one moment of a session."""

    occurred_at: Annotated[UnixSeconds, Meta(description="Unix seconds.")]
    kind: Annotated[str, Meta(description="gap, device, title, or a stream state in lower case.")]
    detail: Annotated[str, Meta(description="Text from outside, such as a station's title.")]


class HistorySession(HistorySummary, frozen=True, kw_only=True):
    """Document of ``GET /history/N``: one session with everything that was recorded."""

    segments: list[HistorySegment]
    events: list[HistoryEvent]


class HistoryOverview(Struct, frozen=True, kw_only=True):
    """Document of ``GET /history``: all sessions, the newest first."""

    path: Annotated[str | None, Meta(description="File of the history; null if nothing is recorded.")]
    sessions: list[HistorySummary]
    corrections: Annotated[Total, Meta(description="Segments whose genre a person corrected.")]
    sounds: Annotated[Total, Meta(description="Corrections whose audio is kept.")]
