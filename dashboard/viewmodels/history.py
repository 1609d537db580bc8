"""A session of the history as the page shows and exports it. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from msgspec.structs import replace

from dashboard.i18n.times import format_time
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.theme import GENRE_COLORS, genre_color
from models.common.text import clean_text, storable
from models.common.validation import convert
from realtime.protocol.codes import ResponseCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.history import HistoryOverview, HistorySegment, HistorySession, HistorySummary

STATES: Final = tuple(state.value for state in StreamState if state.has_estimate)
"""Of segments; the timeline names them by their places here."""


def parse_overview(document: Mapping[str, Any]) -> HistoryOverview:
    """Parse the document of ``GET /history``.

    Raises
    ------
    ValueError
        If it is no such document; says what is wrong and where.
    """
    return convert(_storable(document), HistoryOverview, allow_unknown=True)


def parse_session(document: Mapping[str, Any]) -> HistorySession:
    """Parse the document of ``GET /history/N``, and bring segments and events into the order of time.

    Raises
    ------
    ValueError
        If it is no such document; says what is wrong and where.
    """
    session = convert(_storable(document), HistorySession, allow_unknown=True)
    return replace(
        session,
        segments=sorted(session.segments, key=lambda each: each.started),
        events=sorted(session.events, key=lambda each: each.occurred_at),
    )


def _storable(value: object) -> object:
    """Replace lone surrogates in a JSON value: half of a pair cannot be sent on to the browser."""
    if isinstance(value, str):
        return storable(value, "replace")
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, Mapping):
        return {storable(name, "replace"): _storable(each) for name, each in value.items()}
    return value


def timeline_data(session: HistorySession, chosen: int | None, words: Translator) -> dict[str, Any]:
    """What the timeline draws, as JSON; short, for it is sent again while the session runs.

    Parameters
    ----------
    session : HistorySession
    chosen : int or None
        Number of the segment that is looked at.
    words : Words
    """
    zero = session.started
    labels = list(GENRE_COLORS)
    labels += sorted(
        {label for each in session.segments for label in (each.genre, each.correction) if label} - {*labels}
    )
    place = {label: number for number, label in enumerate(labels)} | {None: -1}
    return {
        "session": session.id,
        "language": words.language,
        "words": words.part("history.timeline."),
        "states": [words(f"history.state.{state.lower()}") for state in STATES],
        "kinds": words.part("history.event."),
        "genres": [
            {"label": label, "name": words.genre(label), "color": genre_color(label)} for label in labels
        ],
        "started": zero,
        "seconds": round(max(0.0, session.until - zero), 1),
        "running": session.running,
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
        "events": [[round(each.occurred_at - zero, 1), each.kind, each.detail] for each in session.events],
        "chosen": chosen,
    }


def share_rows(segments: Sequence[HistorySegment], words: Translator) -> list[dict[str, Any]]:
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
        (words(f"history.state.{state.lower()}"), "", others[state]) for state in STATES if state in others
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
    return f"history.outcome.{code}"


def format_span(seconds: float, words: Translator) -> str:
    """How long, for people: seconds below a minute, minutes below an hour."""
    if seconds < 59.5:
        return words("history.span.seconds", seconds=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return words("history.span.minutes", minutes=minutes)
    return words("history.span.hours", hours=minutes // 60, minutes=minutes % 60)


def session_line(summary: HistorySummary, zone: tzinfo | None, words: Translator, locale: str = "") -> str:
    """One session in the list: unlike any other's, and the same for as long as it runs.

    A source's name is untrusted text; ``locale`` is the browser's.
    """
    started = datetime.fromtimestamp(summary.started, zone)
    parts = [f"{started:%Y-%m-%d} {format_time(started, words.language, locale)}"]
    if summary.running:
        parts += [words("history.running"), clean_text(summary.source)]
    else:
        genres = [(name, seconds) for name, seconds in summary.seconds.items() if not name.isupper()]
        genres.sort(key=lambda pair: -pair[1])
        lasted = format_span(max(0.0, summary.until - summary.started), words)
        heard = ", ".join(words.genre(name) for name, _ in genres[:3])
        parts += [lasted, clean_text(summary.source), *([heard] if heard else [])]
    return " \N{MIDDLE DOT} ".join([*parts, f"#{summary.id}"])


def segment_line(segment: HistorySegment, zone: tzinfo | None, words: Translator, locale: str = "") -> str:
    """One segment in words: when, as what it was heard, how sure; ``locale`` is the browser's."""
    first, last = (
        format_time(datetime.fromtimestamp(at, zone), words.language, locale, seconds=True)
        for at in (segment.started, segment.ended)
    )
    heard = words(f"history.state.{segment.state.lower()}")
    if segment.genre is not None:
        name = words.genre(segment.genre)
        heard = name if segment.state == "LISTENING" else f"{heard} ({name})"
    sure = "" if segment.confidence is None else f", {segment.confidence:.0%}"
    return f"{first} \N{EN DASH} {last}: {heard}{sure}"
