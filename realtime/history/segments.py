"""Group messages into the rows of the history: sessions, segments of one genre, and events.

The module works on values only, without files, clocks and threads.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import (
    EstimateMessage,
    HealthMessage,
    Message,
    StateMessage,
    TagProbability,
    TitleMessage,
)


@dataclass(frozen=True, slots=True)
class Session:
    """Session: a source from its opening to its end or pause.

    ``key`` identifies the session in all files. The number of a session differs from file to file.
    ``started`` is in Unix seconds.
    """

    key: str
    source: str
    started: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive estimates of one state, and in LISTENING of one stable genre.

    ``confidence`` is the mean probability of ``genre``. In UNSURE ``genre`` is the genre of the largest mean.
    In SILENT and NOT_MUSIC both are None, since the labels of these states are those of the last music.
    ``started`` and ``ended`` are Unix seconds. ``seconds`` is the length of the audio, which depends neither
    on the speed at which a file is read nor on changes of the system clock. ``from_seconds`` and
    ``to_seconds`` are the position of the audio in the stream. ``tags`` are the words that describe the
    music, the most probable first.
    """

    session: Session
    number: int
    genre: str | None
    state: str
    started: float
    ended: float
    seconds: float
    confidence: float | None
    estimates: int
    from_seconds: float
    to_seconds: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Event in a session. ``kind`` is gap, device, title, or a state in lower case."""

    session: Session
    number: int
    occurred_at: float
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sign that a session was running, or has ended, at ``at`` (Unix seconds)."""

    session: Session
    at: float
    ended: bool = False


MIN_TAG_SHARE = 0.5
"""Share of a segment's estimates that must have a tag, for the tag to describe the segment."""

Row: TypeAlias = Segment | Event | Heartbeat


@dataclass(slots=True)
class _Stream:
    """Present state of one source."""

    session: Session
    last_seen_at: float
    segment: Segment | None = None
    probability_sums: dict[str, float] = field(default_factory=dict)  # of the segment, by genre
    tag_sums: dict[str, tuple[int, float]] = field(default_factory=dict)  # count and probability, by tag
    estimated_until: float | None = None  # seconds of the stream, at the end of the last estimate
    segments: int = 0
    events: int = 0
    gaps: int = 0
    samples_lost: int = 0
    device: str = ""
    title: str = ""


class SegmentBuilder:
    """Builder of the rows of any number of sources.

    Parameters
    ----------
    new_key : callable
        Returns a unique key for a session.
    """

    def __init__(self, new_key: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._new_key = new_key
        self._streams: dict[str, _Stream] = {}

    def add(self, message: Message) -> list[Row]:
        """Add a message, and return the rows that it completes."""
        if not isinstance(message, EstimateMessage | StateMessage | HealthMessage | TitleMessage):
            return []
        source, at = message.source, message.captured_at
        stream = self._streams.get(source)
        if stream is None:
            if isinstance(message, HealthMessage):  # after the end of a session
                return []
            stream = self._streams[source] = _Stream(Session(self._new_key(), source, at), at)
        stream.last_seen_at = at
        if isinstance(message, EstimateMessage):
            return _add_estimate(stream, message)
        if isinstance(message, HealthMessage):
            return _add_health(stream, message)
        if isinstance(message, TitleMessage):
            changed = stream.title != message.title
            stream.title = message.title
            return [_new_event(stream, at, "title", stream.title)] if changed else []
        if message.state.has_estimate:
            return []
        rows = [*_close_segment(stream), _new_event(stream, at, message.state.lower(), message.detail)]
        if message.state.is_closed:
            del self._streams[source]
            rows.append(Heartbeat(stream.session, at, ended=True))
        return rows

    def open_rows(self, now: float) -> list[Row]:
        """Return the rows that may still change, as they are at ``now`` (Unix seconds)."""
        rows: list[Row] = []
        for stream in self._streams.values():
            rows += [Heartbeat(stream.session, now), *([stream.segment] if stream.segment else [])]
        return rows

    def restart(self, now: float) -> None:
        """Discard all rows, and start a new session of each source at ``now`` (Unix seconds)."""
        for stream in self._streams.values():
            stream.session = Session(self._new_key(), stream.session.source, now)
            stream.segment, stream.segments, stream.events = None, 0, 0
            stream.last_seen_at, stream.device, stream.title = now, "", ""

    def finish(self) -> list[Row]:
        """End all sessions at the times of their last messages, and return the last rows."""
        rows: list[Row] = []
        for stream in self._streams.values():
            rows += [*_close_segment(stream), Heartbeat(stream.session, stream.last_seen_at, ended=True)]
        self._streams.clear()
        return rows


def _add_estimate(stream: _Stream, message: EstimateMessage) -> list[Row]:
    """Add an estimate to the segment, or start a new segment.

    An estimate covers the time since the previous estimate, but at most its window, since audio that was lost
    was not analyzed.
    """
    at, until = message.captured_at, message.end_seconds
    window = until - message.start_seconds
    before = stream.estimated_until
    seconds = window if before is None or until <= before else min(window, until - before)
    stream.estimated_until = until
    state, weights = message.estimate.state, message.estimate.genre_weights()
    segment = stream.segment
    completed: list[Row] = []
    if (
        segment is None
        or segment.state != state
        or (state is not StreamState.UNSURE and weights.keys() != stream.probability_sums.keys())
    ):
        started = at - seconds if segment is None else min(at, max(segment.ended, at - seconds))
        completed = _close_segment(stream)
        segment = _new_segment(stream, state, started, until - seconds)
    sums = stream.probability_sums
    for genre, probability in weights.items():
        sums[genre] = sums.get(genre, 0.0) + probability
    estimates = segment.estimates + 1
    genre_of_segment = max(sums, key=sums.__getitem__, default=None)
    stream.segment = replace(
        segment,
        genre=genre_of_segment,
        ended=max(segment.ended, at),
        seconds=segment.seconds + seconds,
        confidence=None if genre_of_segment is None else sums[genre_of_segment] / estimates,
        estimates=estimates,
        to_seconds=until,
        tags=_add_tags(stream.tag_sums, message.estimate.tags, estimates),
    )
    return completed


def _add_tags(
    sums: dict[str, tuple[int, float]], tags: Sequence[TagProbability], estimates: int
) -> tuple[str, ...]:
    """Add the tags of an estimate, and return those of the segment, the most probable first."""
    for tag in tags:
        count, total = sums.get(tag.name, (0, 0.0))
        sums[tag.name] = (count + 1, total + tag.probability)
    lasting = [name for name, (count, _) in sums.items() if count >= MIN_TAG_SHARE * estimates]
    return tuple(sorted(lasting, key=lambda name: -sums[name][1]))


def _new_segment(stream: _Stream, state: StreamState, started: float, from_seconds: float) -> Segment:
    """Create the next segment of a stream, without estimates."""
    stream.probability_sums, stream.tag_sums = {}, {}
    stream.segments += 1
    return Segment(
        session=stream.session,
        number=stream.segments,
        genre=None,
        state=state.value,
        started=started,
        ended=started,
        seconds=0.0,
        confidence=None,
        estimates=0,
        from_seconds=from_seconds,
        to_seconds=from_seconds,
    )


def _close_segment(stream: _Stream) -> list[Row]:
    rows: list[Row] = [stream.segment] if stream.segment else []
    stream.segment = None
    return rows


def _add_health(stream: _Stream, message: HealthMessage) -> list[Row]:
    """Return events for new gaps and for another device."""
    rows: list[Row] = []
    at, gaps, lost = message.captured_at, message.gaps, message.samples_lost
    if gaps > stream.gaps:
        count = gaps - stream.gaps
        text = f"{count} gap{'s' if count > 1 else ''}, {lost - stream.samples_lost} samples lost"
        rows.append(_new_event(stream, at, "gap", text))
    stream.gaps, stream.samples_lost = gaps, lost
    if message.device and message.device != stream.device:
        stream.device = message.device
        rows.append(_new_event(stream, at, "device", message.device))
    return rows


def _new_event(stream: _Stream, at: float, kind: str, detail: str) -> Event:
    stream.events += 1
    return Event(stream.session, stream.events, at, kind, detail)
