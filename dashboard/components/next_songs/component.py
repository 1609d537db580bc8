"""A few songs beside the live part, with links only; the page of songs has everything else about them."""

from __future__ import annotations

from typing import Any

from dashboard.components.assets import register_component
from dashboard.i18n.translator import Translator
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import Playlist
from dashboard.viewmodels.songs import instead_of_songs, links_data

MAX_SONGS = 3


def show_next_songs(playlist: Playlist, profile: ListeningProfile, muted: bool, words: Translator) -> None:
    """Show the first songs of a list; none while recommendations are muted."""
    mount = register_component("next_songs")
    mount(key="live_next", data=next_songs_data(playlist, profile, muted, words))


def next_songs_data(
    playlist: Playlist, profile: ListeningProfile, muted: bool, words: Translator
) -> dict[str, Any]:
    """Return the component's data as JSON: the texts and links of each song, or a message instead."""
    songs = [
        {
            "title": row.track.title,
            "artist": ", ".join(row.track.artists),
            "language": row.track.language or "",
            "links": links_data(row.track, words),
        }
        for row in (() if muted else playlist.items[:MAX_SONGS])
    ]
    return {
        "language": words.language,
        "heading": words("live.next.title"),
        "message": words("live.muted") if muted else instead_of_songs(playlist, profile, words),
        "songs": songs,
    }
