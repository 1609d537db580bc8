"""CSV form of recorded sessions, which the history command prints and the page exports."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final

from models.common.text import escape_formula
from realtime.protocol.history import HistoryEvent, HistorySegment, HistorySession

COLUMNS: Final = (
    "session", "source", "kind", "number", "started", "ended", "seconds", "state", "genre", "confidence",
    "correction", "detail", "tags",
)  # fmt: skip
"""Columns of the table. ``kind`` is segment, or the kind of an event. Events have only start and detail.

``tags`` are separated by semicolons.
"""


def format_csv(sessions: Iterable[HistorySession], zone: tzinfo | None = None) -> str:
    """Format segments and events of sessions as CSV, in the order of their times within each session.

    Texts from outside, such as the title of a station, are escaped so that no spreadsheet runs formulas.

    Parameters
    ----------
    sessions : iterable of HistorySession
    zone : tzinfo, optional
        Time zone of the times in the table, which are in ISO 8601. None for local time.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for session in sessions:
        rows = [_segment_row(segment, zone) for segment in session.segments]
        rows += [_event_row(event, zone) for event in session.events]
        for _, row in sorted(rows, key=lambda pair: pair[0]):
            writer.writerow(row | {"session": session.id, "source": escape_formula(session.source)})
    return text.getvalue()


def _segment_row(segment: HistorySegment, zone: tzinfo | None) -> tuple[float, dict[str, object]]:
    return segment.started, {
        "kind": "segment",
        "number": segment.number,
        "started": _format_time(segment.started, zone),
        "ended": _format_time(segment.ended, zone),
        "seconds": round(segment.seconds, 3),
        "state": segment.state.value,
        "genre": escape_formula(segment.genre or ""),
        "confidence": "" if segment.confidence is None else round(segment.confidence, 4),
        "correction": escape_formula(segment.correction or ""),
        "tags": escape_formula(";".join(segment.tags)),
    }


def _event_row(event: HistoryEvent, zone: tzinfo | None) -> tuple[float, dict[str, object]]:
    return event.occurred_at, {
        "kind": escape_formula(event.kind),
        "started": _format_time(event.occurred_at, zone),
        "detail": escape_formula(event.detail),
    }


def _format_time(unix: float, zone: tzinfo | None) -> str:
    moment = datetime.fromtimestamp(unix, zone or UTC)
    with contextlib.suppress(ValueError):  # TZ may name an offset of more than a day: the time stays in UTC
        moment = moment.astimezone(zone)
    return moment.isoformat(timespec="milliseconds")
