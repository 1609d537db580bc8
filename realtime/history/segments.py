"""Messages folded into what a history keeps: segments of one genre, and what happened between them.

Values in, values out: no file, no clock, no thread. ``history`` writes the rows down.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HealthMessage, Message, StateMessage, TitleMessage


@dataclass(frozen=True, slots=True)
class Session:
    """One source from its opening to its end; ``key`` names it before the file has given it a number."""

    key: str
    source: str
    started: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive estimates of one state, and in LISTENING of one stable genre.

    ``confidence`` is the mean probability of ``genre``, which in UNSURE is the genre whose mean is largest.
    Both are None in SILENT and NOT_MUSIC, where labels are those of the last music. ``started`` and
    ``ended`` are Unix seconds; ``seconds`` counts sound, so that neither a file read at full speed nor a
    clock that is set changes it. The sound itself lies between ``from_seconds`` and ``to_seconds`` of the
    stream.
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


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at one moment: ``kind`` is gap, device, title, or a state in small letters."""

    session: Session
    number: int
    at: float
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The session was alive at ``at`` (Unix seconds), or ``over`` since then."""

    session: Session
    at: float
    over: bool = False


Row: TypeAlias = Segment | Event | Heartbeat


@dataclass(slots=True)
class _Stream:
    """Where one source stands."""

    session: Session
    seen: float
    segment: Segment | None = None
    sums: dict[str, float] = field(default_factory=dict)  # of the segment's probabilities, by genre
    heard_until: float | None = None  # seconds of the stream, of the last estimate
    segments: int = 0
    events: int = 0
    gaps: int = 0
    samples_lost: int = 0
    device: str = ""
    title: str = ""


class SegmentBuilder:
    """Messages into rows, of any number of sources at once.

    Parameters
    ----------
    new_key : callable
        Gives a session a key that no other has, in any file.
    """

    def __init__(self, new_key: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._new_key = new_key
        self._streams: dict[str, _Stream] = {}

    def add(self, message: Message) -> list[Row]:
        """Take a message in.

        Returns
        -------
        list of Row
            Those that are final with it.
        """
        if not isinstance(message, EstimateMessage | StateMessage | HealthMessage | TitleMessage):
            return []
        source, at = message.source, message.captured_at
        stream = self._streams.get(source)
        if stream is None:
            if isinstance(message, HealthMessage):  # one that comes after the end begins nothing
                return []
            stream = self._streams[source] = _Stream(Session(self._new_key(), source, at), at)
        stream.seen = at
        if isinstance(message, EstimateMessage):
            return _estimate(stream, message)
        if isinstance(message, HealthMessage):
            return _health(stream, message)
        if isinstance(message, TitleMessage):
            changed = stream.title != message.title
            stream.title = message.title
            return [_event(stream, at, "title", stream.title)] if changed else []
        if message.state.has_estimate:
            return []
        rows = [*_close_segment(stream), _event(stream, at, message.state.lower(), message.detail)]
        if message.state.is_closed:
            del self._streams[source]
            rows.append(Heartbeat(stream.session, at, over=True))
        return rows

    def open_rows(self, now: float) -> list[Row]:
        """What is not final yet, as it stands at ``now`` (Unix seconds)."""
        rows: list[Row] = []
        for stream in self._streams.values():
            rows += [Heartbeat(stream.session, now), *([stream.segment] if stream.segment else [])]
        return rows

    def restart(self, now: float) -> None:
        """What was heard so far is forgotten; each source's session begins at ``now`` (Unix seconds)."""
        for stream in self._streams.values():
            stream.session = Session(self._new_key(), stream.session.source, now)
            stream.segment, stream.segments, stream.events = None, 0, 0
            stream.seen, stream.device, stream.title = now, "", ""

    def finish(self) -> list[Row]:
        """End every session with the last that was heard of it."""
        rows: list[Row] = []
        for stream in self._streams.values():
            rows += [*_close_segment(stream), Heartbeat(stream.session, stream.seen, over=True)]
        self._streams.clear()
        return rows


def _estimate(stream: _Stream, message: EstimateMessage) -> list[Row]:
    """An estimate stands for the time since the one before, and for no more than its own window."""
    at, until = message.captured_at, message.end_seconds
    window = until - message.start_seconds
    known = stream.heard_until
    seconds = window if known is None or until <= known else min(window, until - known)
    stream.heard_until = until
    state, heard = message.estimate.state, message.estimate.genre_weights()
    last = stream.segment
    unsure = state is StreamState.UNSURE
    if last is not None and last.state == state and (unsure or heard.keys() == stream.sums.keys()):
        count, final = last.estimates + 1, list[Row]()
    else:
        count, final = 1, _close_segment(stream)
        stream.sums = {}
        stream.segments += 1
        started = at - seconds if last is None else min(at, max(last.ended, at - seconds))
        last = Segment(
            stream.session,
            stream.segments,
            None,
            state.value,
            started,
            at,
            0.0,
            None,
            0,
            until - seconds,
            until,
        )
    for genre, probability in heard.items():
        stream.sums[genre] = stream.sums.get(genre, 0.0) + probability
    likeliest = max(stream.sums, key=stream.sums.__getitem__, default=None)
    stream.segment = replace(
        last,
        genre=likeliest,
        ended=max(last.ended, at),
        seconds=last.seconds + seconds,
        confidence=stream.sums[likeliest] / count if likeliest is not None else None,
        estimates=count,
        to_seconds=until,
    )
    return final


def _close_segment(stream: _Stream) -> list[Row]:
    final: list[Row] = [stream.segment] if stream.segment else []
    stream.segment = None
    return final


def _health(stream: _Stream, message: HealthMessage) -> list[Row]:
    rows: list[Row] = []
    at, gaps, lost = message.captured_at, message.gaps, message.samples_lost
    if gaps > stream.gaps:
        count = gaps - stream.gaps
        text = f"{count} gap{'s' if count > 1 else ''}, {lost - stream.samples_lost} samples lost"
        rows.append(_event(stream, at, "gap", text))
    stream.gaps, stream.samples_lost = gaps, lost
    if message.device and message.device != stream.device:
        stream.device = message.device
        rows.append(_event(stream, at, "device", message.device))
    return rows


def _event(stream: _Stream, at: float, kind: str, detail: str) -> Event:
    stream.events += 1
    return Event(stream.session, stream.events, at, kind, detail)
