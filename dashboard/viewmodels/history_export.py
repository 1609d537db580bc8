"""A recorded session as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from models.common.text import escape_formula
from realtime.protocol.history import HistorySession

COLUMNS: Final = (
    "kind", "number", "started", "ended", "seconds", "state", "genre", "confidence", "correction", "detail",
)  # fmt: skip
"""Of the exported table; ``kind`` is segment, or that of an event, which has only a time and a detail."""


def file_name(session: HistorySession, zone: tzinfo | None, ending: str) -> str:
    """A name for the exported file, without anything that came from outside."""
    when = datetime.fromtimestamp(session.started, zone)
    return f"overheard-{when:%Y-%m-%d-%H%M}-session-{session.id}.{ending}"


def as_csv(session: HistorySession, zone: tzinfo | None) -> bytes:
    """Segments and events as a table that a spreadsheet opens and runs nothing of.

    Returns
    -------
    bytes
        UTF-8 with a byte order mark, without which Excel takes it for another encoding; times are
        ISO 8601 in ``zone``.
    """
    rows: list[tuple[float, list[object]]] = []
    for each in session.segments:
        sure = "" if each.confidence is None else round(each.confidence, 4)
        times = [_iso(each.started, zone), _iso(each.ended, zone), round(each.seconds, 3)]
        names = [each.state, escape_formula(each.genre or ""), sure, escape_formula(each.correction or "")]
        rows.append((each.started, ["segment", each.number, *times, *names, ""]))
    for event in session.events:
        empty = [""] * 6
        moment = _iso(event.occurred_at, zone)
        rows.append(
            (
                event.occurred_at,
                [escape_formula(event.kind), "", moment, *empty, escape_formula(event.detail)],
            )
        )
    rows.sort(key=lambda pair: pair[0])
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(row for _, row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")


def as_json(record: Mapping[str, Any]) -> bytes:
    """The session as the analyzer gave it."""
    return json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _iso(unix: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(unix, zone).astimezone(zone).isoformat(timespec="milliseconds")
