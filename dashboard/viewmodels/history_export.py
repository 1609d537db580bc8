"""Export of a recorded session as CSV and JSON."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from realtime.protocol.history import HistorySession
from realtime.protocol.history_csv import format_csv


def format_file_name(session: HistorySession, zone: tzinfo | None, ending: str) -> str:
    """Return the name of an exported file, without untrusted text."""
    when = datetime.fromtimestamp(session.started, zone)
    return f"overheard-{when:%Y-%m-%d-%H%M}-session-{session.id}.{ending}"


def export_csv(session: HistorySession, zone: tzinfo | None) -> bytes:
    """Export a session as a table with times in ``zone``, or in the server's local time if ``zone`` is None.

    Returns
    -------
    bytes
        CSV in UTF-8 with a byte order mark. Without the mark, Excel assumes another encoding.
    """
    return codecs.BOM_UTF8 + format_csv([session], zone).encode("utf-8", "replace")


def export_json(record: Mapping[str, Any]) -> bytes:
    """Export the document of a session as the analyzer sent it."""
    return json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8", "replace")
