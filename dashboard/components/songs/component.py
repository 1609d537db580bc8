"""The songs' page: what to show comes as data, what a reader chooses goes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components import text_of

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SONGS = "songs"
SCRIPTS = ("songs_parts.js", "songs_card.js", "songs_choices.js", "songs.js")
"""Joined here, because a component is one module."""


def show_songs(data: dict[str, Any], on_choice: Callable[[], None]) -> None:
    """Lay out the songs; ``on_choice`` is called before the next run when the reader chose something."""
    _songs()(key=SONGS, data=data, on_action_change=on_choice)


def song_choice() -> tuple[str, str] | None:
    """What was chosen, its kind and the song's key or an artist's name; for ``on_choice``."""
    chosen = st.session_state[SONGS].get("action")
    return (str(chosen["kind"]), str(chosen["key"])) if chosen else None


@lru_cache(maxsize=1)
def _songs() -> ComponentRenderer:
    script = "\n".join(text_of(name) for name in SCRIPTS)
    return st.components.v2.component("overheard_songs", css=text_of("songs.css"), js=script)
