"""Data of the history page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from msgspec.structs import replace

from dashboard.i18n.times import format_time
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.tags import MAX_TAGS
from dashboard.viewmodels.theme import GENRE_COLORS, genre_color
from models.common.text import clean_text, replace_surrogates
from models.common.validation import convert
from realtime.protocol.codes import ResponseCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.history import HistoryOverview, HistorySegment, HistorySession, HistorySummary

STATES: Final = tuple(state.value for state in StreamState if state.has_estimate)
"""States of segments. The timeline refers to a state by its index in this tuple."""


def parse_overview(document: Mapping[str, Any]) -> HistoryOverview:
    """Parse the document of ``GET /history``.

    Raises
    ------
    ValueError
        If the document is malformed. The message names the problem and its place.
    """
    return convert(_storable(document), HistoryOverview, allow_unknown=True)


def parse_session(document: Mapping[str, Any]) -> HistorySession:
    """Parse the document of ``GET /history/N``, and sort segments and events by time.

    Raises
    ------
    ValueError
        If the document is malformed. The message names the problem and its place.
    """
    session = convert(_storable(document), HistorySession, allow_unknown=True)
    return replace(
        session,
        segments=sorted(session.segments, key=lambda each: each.started),
        events=sorted(session.events, key=lambda each: each.occurred_at),
    )


def _storable(value: object) -> object:
    """Replace lone surrogates in all strings of a JSON value, since they cannot be sent to the browser."""
    if isinstance(value, str):
        return replace_surrogates(value, "replace")
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, Mapping):
        return {replace_surrogates(name, "replace"): _storable(each) for name, each in value.items()}
    return value


def timeline_data(session: HistorySession, selected: int | None, translator: Translator) -> dict[str, Any]:
    """Return the data of the timeline as JSON, in a compact form that is sent at every refresh.

    Parameters
    ----------
    session : HistorySession
    selected : int or None
        Number of the selected segment.
    translator : Translator
    """
    zero = session.started
    labels = list(GENRE_COLORS)
    labels += sorted(
        {label for each in session.segments for label in (each.genre, each.correction) if label} - {*labels}
    )
    index = {label: number for number, label in enumerate(labels)} | {None: -1}
    tags = sorted({tag for each in session.segments for tag in each.tags})
    tag_index = {tag: number for number, tag in enumerate(tags)}
    return {
        "session": session.id,
        "language": translator.language,
        "texts": translator.part("history.timeline."),
        "states": [translator(f"history.state.{state.lower()}") for state in STATES],
        "kinds": translator.part("history.event."),
        "genres": [
            {"label": label, "name": translator.genre(label), "color": genre_color(label)} for label in labels
        ],
        "tags": [translator.tag(tag) for tag in tags],
        "started": zero,
        "seconds": round(max(0.0, session.until - zero), 1),
        "running": session.running,
        "segments": [
            [
                each.number,
                STATES.index(each.state),
                index[each.genre],
                round(each.started - zero, 1),
                round(each.ended - zero, 1),
                None if each.confidence is None else round(each.confidence, 2),
                index[each.correction],
                [tag_index[tag] for tag in each.tags[:MAX_TAGS]],
            ]
            for each in session.segments
        ],
        "events": [[round(each.occurred_at - zero, 1), each.kind, each.detail] for each in session.events],
        "selected": selected,
    }


def share_rows(segments: Sequence[HistorySegment], translator: Translator) -> list[dict[str, Any]]:
    """Return a bar for each genre, the largest share first, and then for each state without a genre.

    Returns
    -------
    list of dict
        ``name``, ``color`` (empty without a genre), ``share`` of the whole time (0..1), and ``text`` beside
        the bar. The percentages in the texts add up to 100.
    """
    genres: dict[str, float] = {}
    others: dict[str, float] = {}
    for each in segments:
        if (genre := each.effective_genre) is not None:
            genres[genre] = genres.get(genre, 0.0) + each.seconds
        else:
            others[each.state] = others.get(each.state, 0.0) + each.seconds
    lines = [
        (translator.genre(genre), genre_color(genre), seconds)
        for genre, seconds in sorted(genres.items(), key=lambda pair: -pair[1])
    ]
    lines += [
        (translator(f"history.state.{state.lower()}"), "", others[state])
        for state in STATES
        if state in others
    ]
    total = sum(seconds for *_, seconds in lines) or 1.0
    shares = [seconds / total for *_, seconds in lines]
    return [
        {
            "name": name,
            "color": color,
            "share": share,
            "text": f"{format_span(seconds, translator)} \N{MIDDLE DOT} {percent}%",
        }
        for (name, color, seconds), share, percent in zip(
            lines, shares, round_percentages(shares), strict=True
        )
    ]


def round_percentages(shares: Sequence[float]) -> list[int]:
    """Round shares to whole percentages with the same sum. The largest remainders are rounded up."""
    percents = [int(100 * share) for share in shares]
    missing = round(100 * sum(shares)) - sum(percents)
    for index in sorted(range(len(shares)), key=lambda each: percents[each] - 100 * shares[each])[:missing]:
        percents[index] += 1
    return percents


def outcome_key(code: ResponseCode) -> str:
    """Return the catalog key of the message for a completed control."""
    return f"history.outcome.{code}"


def format_span(seconds: float, translator: Translator) -> str:
    """Format a duration in seconds, from a minute on in minutes, and from an hour on in hours and minutes."""
    if seconds < 59.5:
        return translator("history.span.seconds", seconds=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return translator("history.span.minutes", minutes=minutes)
    return translator("history.span.hours", hours=minutes // 60, minutes=minutes % 60)


def format_session(
    summary: HistorySummary, zone: tzinfo | None, translator: Translator, locale: str = ""
) -> str:
    """Format one session as a line of the list.

    The line is unique and stays the same while the session runs. ``locale`` is the locale of the browser.
    """
    started = datetime.fromtimestamp(summary.started, zone)
    parts = [f"{started:%Y-%m-%d} {format_time(started, translator.language, locale)}"]
    if summary.running:
        parts += [translator("history.running"), clean_text(summary.source)]
    else:
        genres = [(name, seconds) for name, seconds in summary.seconds.items() if not name.isupper()]
        genres.sort(key=lambda pair: -pair[1])
        length = format_span(max(0.0, summary.until - summary.started), translator)
        genre_names = ", ".join(translator.genre(name) for name, _ in genres[:3])
        parts += [length, clean_text(summary.source), *([genre_names] if genre_names else [])]
    return " \N{MIDDLE DOT} ".join([*parts, f"#{summary.id}"])


def format_segment(
    segment: HistorySegment, zone: tzinfo | None, translator: Translator, locale: str = ""
) -> str:
    """Format one segment: times, genre or state, and confidence. ``locale`` is the locale of the browser."""
    first, last = (
        format_time(datetime.fromtimestamp(at, zone), translator.language, locale, seconds=True)
        for at in (segment.started, segment.ended)
    )
    label = translator(f"history.state.{segment.state.lower()}")
    if segment.genre is not None:
        name = translator.genre(segment.genre)
        label = name if segment.state == "LISTENING" else f"{label} ({name})"
    confidence = "" if segment.confidence is None else f", {segment.confidence:.0%}"
    return f"{first} \N{EN DASH} {last}: {label}{confidence}"
