"""A few songs beside what is heard: links only, everything else about them is on their own page."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components import text_of
from dashboard.recommendations.evidence import Evidence
from dashboard.recommendations.playlist import Playlist
from dashboard.song_view import instead_of_songs, links_data
from dashboard.texts import Words

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

MOST_SONGS = 3
SCRIPTS = ("songs_parts.js", "live_next.js")
"""Joined here, because a component is one module."""


def show_next(playlist: Playlist, evidence: Evidence, muted: bool, words: Words) -> None:
    """Lay out the first songs of a list; none while they are muted."""
    _next()(key="live_next", data=next_data(playlist, evidence, muted, words))


def next_data(playlist: Playlist, evidence: Evidence, muted: bool, words: Words) -> dict[str, Any]:
    """What is laid out, as JSON: for each song its texts and its links, or a sentence."""
    songs = [
        {
            "title": row.track.title,
            "artist": ", ".join(row.track.artists),
            "language": row.track.language or "",
            "links": links_data(row.track, words),
        }
        for row in (() if muted else playlist.rows[:MOST_SONGS])
    ]
    return {
        "language": words.language,
        "heading": words("live.next.title"),
        "said": words("live.muted") if muted else instead_of_songs(playlist, evidence, words),
        "songs": songs,
    }


@lru_cache(maxsize=1)
def _next() -> ComponentRenderer:
    script = "\n".join(text_of(name) for name in SCRIPTS)
    return st.components.v2.component("overheard_live_next", css=text_of("live_next.css"), js=script)
