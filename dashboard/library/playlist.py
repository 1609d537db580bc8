"""M3U playlists of tracks of the library."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.library.index import IndexedTrack
from models.common.text import clean_text


def format_m3u(tracks: Iterable[IndexedTrack]) -> str:
    """Format tracks as an M3U playlist in UTF-8, with the absolute path of each track."""
    lines = ["#EXTM3U"]
    for track in tracks:
        if not track.uri.isprintable():  # a line break in a name would be another line of the list
            continue
        lines += [f"#EXTINF:{round(track.seconds)},{clean_text(track.name)}", track.uri]
    return "\n".join(lines) + "\n"
