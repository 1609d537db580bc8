"""A few songs beside what is heard: links only, everything else about them is on their own page."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components import text_of
from dashboard.recommendations.playlist import Playlist
from dashboard.song_view import links_of
from dashboard.texts import Words

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

MOST_SONGS = 3


def show_next(playlist: Playlist, muted: bool, words: Words) -> None:
    """Lay out the first songs of a list; none while they are muted."""
    _next()(key="live_next", data=next_data(playlist, muted, words))


def next_data(playlist: Playlist, muted: bool, words: Words) -> dict[str, Any]:
    """What is laid out, as JSON: for each song its texts and its first link, or a sentence."""
    songs = []
    for row in () if muted else playlist.rows[:MOST_SONGS]:
        place, address = next(iter(links_of(row.track).items()))
        songs.append(
            {
                "title": row.track.title,
                "artist": ", ".join(row.track.artists),
                "language": row.track.language or "",
                "address": address,
                "said": words("live.next.listen", title=row.track.title, place=place),
            }
        )
    return {
        "language": words.language,
        "heading": words("live.next.title"),
        "said": "" if songs else words("live.muted" if muted else "live.next.waiting"),
        "songs": songs,
    }


@lru_cache(maxsize=1)
def _next() -> ComponentRenderer:
    return st.components.v2.component(
        "overheard_live_next", css=text_of("live_next.css"), js=text_of("live_next.js")
    )
