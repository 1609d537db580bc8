"""Export of a recorded session as CSV and JSON."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from realtime.protocol.history import HistorySession
from realtime.protocol.history_csv import format_csv


def file_name(session: HistorySession, zone: tzinfo | None, ending: str) -> str:
    """Return a name for the exported file that holds no untrusted text."""
    when = datetime.fromtimestamp(session.started, zone)
    return f"overheard-{when:%Y-%m-%d-%H%M}-session-{session.id}.{ending}"


def as_csv(session: HistorySession, zone: tzinfo | None) -> bytes:
    """Format a session as a table, with times in ``zone``, or in the local time of the server if None.

    Returns
    -------
    bytes
        CSV in UTF-8 with a byte order mark. Excel reads a file without the mark in another encoding.
    """
    return codecs.BOM_UTF8 + format_csv([session], zone).encode("utf-8", "replace")


def as_json(record: Mapping[str, Any]) -> bytes:
    """Format the session's document as the analyzer sent it."""
    return json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8", "replace")
