"""The list of recommended songs: its data goes to the browser, the reader's actions come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components.assets import register_component

KEY = "songs"


def show_songs(data: dict[str, Any], on_action: Callable[[], None]) -> None:
    """Show the songs; ``on_action`` is called before the next run if the reader did something."""
    mount = register_component("songs")
    mount(key=KEY, data=data, on_action_change=on_action)


def selected_action() -> tuple[str, str] | None:
    """Return the kind of the reader's action and the song's key or the artist's name; for ``on_action``."""
    action = st.session_state[KEY].get("action")
    return (str(action["kind"]), str(action["key"])) if action else None
