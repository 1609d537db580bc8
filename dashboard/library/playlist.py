"""M3U playlists of tracks of the library."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.library.index import IndexedTrack, has_escapes
from models.common.text import clean_text


def is_listable(track: IndexedTrack) -> bool:
    r"""Return True if a line of a playlist can name the file.

    A line break would begin another line. A name that is not valid UTF-8 has escapes like ``\udcff`` in the
    table, so no player would find the file.
    """
    return track.uri.splitlines() == [track.uri] and not has_escapes(track.uri)


def format_m3u(tracks: Iterable[IndexedTrack]) -> str:
    """Format listable tracks as an M3U playlist in UTF-8, with the absolute path of each track."""
    lines = ["#EXTM3U"]
    for track in filter(is_listable, tracks):
        lines += [f"#EXTINF:{round(track.seconds)},{clean_text(track.name)}", track.uri]
    return "\n".join(lines) + "\n"
