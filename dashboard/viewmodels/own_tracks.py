"""Data of the tracks from the user's own library, without Streamlit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from dashboard.i18n.translator import Translator
from dashboard.library.index import Neighbor, has_escapes, track_id
from dashboard.library.playlist import format_m3u
from dashboard.library.table import LibraryFault
from dashboard.viewmodels.theme import genre_color
from models.common.text import clean_text, escape_path

LIBRARY_PATH: Final = "/_overheard/library/"
"""Path of the page's server under which the tracks are played, see ``dashboard.server.library_files``."""

COMMAND: Final = "overheard library"


def own_tracks_data(
    neighbors: Sequence[Neighbor], tracks: int, muted: bool, translator: Translator
) -> dict[str, Any]:
    """Return the data of the component as JSON.

    Parameters
    ----------
    neighbors : sequence of Neighbor
        Empty until music has played.
    tracks : int
        Number of tracks of the library.
    muted : bool
    translator : Translator
    """
    message = translator("library.waiting")
    if muted:
        message = translator("library.muted")
    elif neighbors:
        message = translator("library.how", count=f"{tracks:,}")
    return _component_data(translator, message) | {
        "m3u": format_m3u(each.track for each in neighbors) if neighbors else "",
        "tracks": [_track_data(each, translator) for each in neighbors],
    }


def fault_data(fault: LibraryFault, translator: Translator) -> dict[str, Any]:
    """Return the data of the component for a library that gives no tracks."""
    values = {"command": COMMAND} | fault.parameters | {"path": clean_text(str(fault.parameters["path"]))}
    return _component_data(translator, translator(f"library.fault.{fault.key}", **values))


def _component_data(translator: Translator, message: str) -> dict[str, Any]:
    return {
        "language": translator.language,
        "heading": translator("library.heading"),
        "message": message,
        "m3u": "",
        "tracks": [],
        "texts": translator.part("library."),
    }


def _track_data(neighbor: Neighbor, translator: Translator) -> dict[str, Any]:
    track = neighbor.track
    is_local = os.path.isabs(track.uri) and not has_escapes(track.uri)
    folder = os.path.dirname(track.uri) if is_local else ""
    return {
        "key": track_id(track.uri),
        "title": clean_text(track.title),
        "artist": clean_text(track.artist),
        "genre": translator.genre(track.label) if track.label else "",
        "color": genre_color(track.label),
        "likeness": translator("library.likeness", percent=f"{max(0.0, neighbor.likeness):.0%}"),
        "address": f"{LIBRARY_PATH}{track_id(track.uri)}" if is_local else "",
        "folder": folder if escape_path(folder) == folder else "",  # a pasted line break would run a command
    }
