"""A session of the history as the page shows and exports it. Values in, values out.

What the analyzer sends becomes the values below, or a ``ValueError`` that says where it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from dashboard.i18n.times import format_time
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import GENRE_COLORS, genre_color
from models.common.text import clean_text, storable
from realtime.protocol.codes import ResponseCode
from realtime.protocol.estimate import StreamState

STATES: Final = tuple(state.value for state in StreamState if state.has_estimate)
"""Of segments; the timeline names them by their places here."""
LATEST: Final = 1e11
"""Unix seconds of the year 5138: beyond it Python's calendar ends before long."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One session in the list, from ``started`` to ``until`` (Unix seconds).

    ``seconds`` is how long each genre sounded, and by state in capitals where none was heard.
    """

    id: int
    source: str
    started: float
    until: float
    running: bool
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one genre and state; ``correction`` is the genre that a person gave it."""

    number: int
    state: str
    genre: str | None
    started: float
    ended: float
    seconds: float
    confidence: float | None
    correction: str | None

    @property
    def right_genre(self) -> str | None:
        """What it counts as: the correction, or the genre if one was heard with confidence."""
        return self.correction or (self.genre if self.state == "LISTENING" else None)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at one moment (Unix seconds); ``detail`` is untrusted text."""

    at: float
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Session:
    """A summary with everything that was recorded, in the order of its times."""

    summary: Summary
    segments: tuple[Segment, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """All sessions, newest first; ``path`` is None where nothing is recorded."""

    path: str | None
    sessions: tuple[Summary, ...]
    corrections: int
    sounds: int


def parse_overview(found: Mapping[str, Any]) -> Overview:
    """What ``GET /history`` answers.

    Raises
    ------
    ValueError
        It is not as it should be.
    """
    path = None if found.get("path") is None else _text(found, "path")
    sessions = tuple(_summary(entry) for entry in _entries(found, "sessions"))
    counts = [int(_number(found, name)) for name in ("corrections", "sounds")]
    return Overview(path, sessions, *counts)


def parse_session(found: Mapping[str, Any]) -> Session:
    """What ``GET /history/N`` answers.

    Raises
    ------
    ValueError
        It is not as it should be.
    """
    segments = sorted(map(_segment, _entries(found, "segments")), key=lambda each: each.started)
    events = [
        Event(_number(entry, "occurred_at"), _text(entry, "kind"), _text(entry, "detail"))
        for entry in _entries(found, "events")
    ]
    events.sort(key=lambda each: each.at)
    return Session(_summary(found), tuple(segments), tuple(events))


def _summary(entry: Mapping[str, Any]) -> Summary:
    seconds = entry.get("seconds")
    if not isinstance(seconds, dict):
        raise ValueError("a session's seconds are no object")
    return Summary(
        id=int(_number(entry, "id")),
        source=_text(entry, "source"),
        started=_number(entry, "started"),
        until=_number(entry, "last_seen_at" if entry.get("ended") is None else "ended"),
        running=entry.get("running") is True,
        seconds={name: _number(seconds, name) for name in seconds},
    )


def _segment(entry: Mapping[str, Any]) -> Segment:
    state = _text(entry, "state")
    if state not in STATES:
        raise ValueError(f"a segment's state is {state!r}; it must be one of {', '.join(STATES)}")
    return Segment(
        number=int(_number(entry, "number")),
        state=state,
        genre=None if entry.get("genre") is None else _text(entry, "genre"),
        started=_number(entry, "started"),
        ended=_number(entry, "ended"),
        seconds=_number(entry, "seconds"),
        confidence=None if entry.get("confidence") is None else _number(entry, "confidence"),
        correction=None if entry.get("correction") is None else _text(entry, "correction"),
    )


def _entries(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = found.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{name} is no list of objects")
    return entries


def _number(entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError(f"{name} is {value!r:.40}; it must be a number from 0 to {LATEST:.0e}")
    return float(value)


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r:.40}; it must be a text")
    return storable(value, "replace")  # half of a pair cannot be sent on


def timeline_data(session: Session, chosen: int | None, words: Translator) -> dict[str, Any]:
    """What the timeline draws, as JSON; short, for it is sent again while the session runs.

    Parameters
    ----------
    session : Session
    chosen : int or None
        Number of the segment that is looked at.
    words : Words
    """
    zero = session.summary.started
    labels = list(GENRE_COLORS)
    labels += sorted(
        {label for each in session.segments for label in (each.genre, each.correction) if label} - {*labels}
    )
    place = {label: number for number, label in enumerate(labels)} | {None: -1}
    return {
        "session": session.summary.id,
        "language": words.language,
        "words": words.part("session.timeline."),
        "states": [words(f"session.state.{state.lower()}") for state in STATES],
        "kinds": words.part("session.event."),
        "genres": [
            {"label": label, "name": words.genre(label), "color": genre_color(label)} for label in labels
        ],
        "started": zero,
        "seconds": round(max(0.0, session.summary.until - zero), 1),
        "running": session.summary.running,
        "segments": [
            [
                each.number,
                STATES.index(each.state),
                place[each.genre],
                round(each.started - zero, 1),
                round(each.ended - zero, 1),
                None if each.confidence is None else round(each.confidence, 2),
                place[each.correction],
            ]
            for each in session.segments
        ],
        "events": [[round(each.at - zero, 1), each.kind, each.detail] for each in session.events],
        "chosen": chosen,
    }


def share_rows(segments: Sequence[Segment], words: Translator) -> list[dict[str, Any]]:
    """Bars: genres by their share of the whole time, then what was no music or not known.

    Returns
    -------
    list of dict
        ``name``, ``colour`` (empty for what is no genre), ``share`` (0..1) and ``said``, the text beside it,
        whose percentages add up to 100.
    """
    genres: dict[str, float] = {}
    others: dict[str, float] = {}
    for each in segments:
        if (genre := each.right_genre) is not None:
            genres[genre] = genres.get(genre, 0.0) + each.seconds
        else:
            others[each.state] = others.get(each.state, 0.0) + each.seconds
    lines = [
        (words.genre(genre), genre_color(genre), seconds)
        for genre, seconds in sorted(genres.items(), key=lambda pair: -pair[1])
    ]
    lines += [
        (words(f"session.state.{state.lower()}"), "", others[state]) for state in STATES if state in others
    ]
    whole = sum(seconds for *_, seconds in lines) or 1.0
    shares = [seconds / whole for *_, seconds in lines]
    return [
        {
            "name": name,
            "color": colour,
            "share": share,
            "text": f"{format_span(seconds, words)} \N{MIDDLE DOT} {percent}%",
        }
        for (name, colour, seconds), share, percent in zip(lines, shares, percentages(shares), strict=True)
    ]


def percentages(shares: Sequence[float]) -> list[int]:
    """Whole percentages that add up as the shares do: the largest remainders are rounded up."""
    found = [int(100 * share) for share in shares]
    missing = round(100 * sum(shares)) - sum(found)
    for place in sorted(range(len(shares)), key=lambda each: found[each] - 100 * shares[each])[:missing]:
        found[place] += 1
    return found


def outcome_key(code: ResponseCode) -> str:
    """Return the key of the sentence for a control of this page that was done."""
    return f"session.outcome.{code}"


def format_span(seconds: float, words: Translator) -> str:
    """How long, for people: seconds below a minute, minutes below an hour."""
    if seconds < 59.5:
        return words("session.span.seconds", seconds=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return words("session.span.minutes", minutes=minutes)
    return words("session.span.hours", hours=minutes // 60, minutes=minutes % 60)


def session_line(summary: Summary, zone: tzinfo | None, words: Translator, locale: str = "") -> str:
    """One session in the list: unlike any other's, and the same for as long as it runs.

    A source's name is untrusted text; ``locale`` is the browser's.
    """
    started = datetime.fromtimestamp(summary.started, zone)
    parts = [f"{started:%Y-%m-%d} {format_time(started, words.language, locale)}"]
    if summary.running:
        parts += [words("session.running"), clean_text(summary.source)]
    else:
        genres = [(name, seconds) for name, seconds in summary.seconds.items() if not name.isupper()]
        genres.sort(key=lambda pair: -pair[1])
        lasted = format_span(max(0.0, summary.until - summary.started), words)
        heard = ", ".join(words.genre(name) for name, _ in genres[:3])
        parts += [lasted, clean_text(summary.source), *([heard] if heard else [])]
    return " \N{MIDDLE DOT} ".join([*parts, f"#{summary.id}"])


def segment_line(segment: Segment, zone: tzinfo | None, words: Translator, locale: str = "") -> str:
    """One segment in words: when, as what it was heard, how sure; ``locale`` is the browser's."""
    first, last = (
        format_time(datetime.fromtimestamp(at, zone), words.language, locale, seconds=True)
        for at in (segment.started, segment.ended)
    )
    heard = words(f"session.state.{segment.state.lower()}")
    if segment.genre is not None:
        name = words.genre(segment.genre)
        heard = name if segment.state == "LISTENING" else f"{heard} ({name})"
    sure = "" if segment.confidence is None else f", {segment.confidence:.0%}"
    return f"{first} \N{EN DASH} {last}: {heard}{sure}"
