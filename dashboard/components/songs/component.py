"""List of recommended songs. The data goes to the browser, and the user's actions come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components.assets import ignore_change, register_component

KEY = "songs"


def show_songs(data: dict[str, Any], on_action: Callable[[], None]) -> None:
    """Show the songs. Streamlit calls ``on_action`` after an action of the user, before the next run."""
    mount = register_component("songs")
    mount(key=KEY, data=data, on_action_change=on_action, on_seen_change=ignore_change)


def are_songs_seen() -> bool:
    """Return False if the browser shows another tab or is minimized. A page that has not reported is seen."""
    return st.session_state.get(KEY, {}).get("seen") is not False


def selected_action() -> tuple[str, str] | None:
    """Return the kind of the user's action, and the key of the song or the name of the artist.

    ``on_action`` calls this. The result is None if there is no action.
    """
    action = st.session_state[KEY].get("action")
    return (str(action["kind"]), str(action["key"])) if action else None
