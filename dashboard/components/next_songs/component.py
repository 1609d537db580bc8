"""Short list of songs beside the live component, with links only. The recommendations page shows the rest."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.assets import ignore_change, register_component
from dashboard.i18n.translator import Translator
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import Playlist
from dashboard.viewmodels.songs import empty_list_text, links_data

KEY = "live_next"
MAX_SONGS = 3
"""Songs in the list. More would not fit beside the live component."""


def show_next_songs(
    playlist: Playlist, profile: ListeningProfile, muted: bool, translator: Translator
) -> None:
    """Show the first songs of the playlist, or no songs while recommendations are muted."""
    mount = register_component("next_songs")
    data = next_songs_data(playlist, profile, muted, translator) | {"seen": are_next_songs_seen()}
    mount(key=KEY, data=data, on_seen_change=ignore_change)


def are_next_songs_seen() -> bool:
    """Return False if the browser shows another tab or is minimized. A page that has not reported is seen."""
    return st.session_state.get(KEY, {}).get("seen") is not False


def next_songs_data(
    playlist: Playlist, profile: ListeningProfile, muted: bool, translator: Translator
) -> dict[str, Any]:
    """Return the data of the component as JSON: texts and links of each song, or a message instead."""
    songs = [
        {
            "title": item.track.title,
            "artist": ", ".join(item.track.artists),
            "language": item.track.language or "",
            "links": links_data(item.track, translator),
        }
        for item in (() if muted else playlist.items[:MAX_SONGS])
    ]
    return {
        "language": translator.language,
        "heading": translator("live.next.title"),
        "message": translator("live.muted") if muted else empty_list_text(playlist, profile, translator),
        "songs": songs,
    }
