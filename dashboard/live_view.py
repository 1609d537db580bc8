"""The two custom components: what is heard now, and the songs. Markup, style and script lie beside.

The live part opens its own websocket, so nothing on it waits for Streamlit; the songs get what to
show as data. Scripts are joined here because a component is one module.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.view_state import live_data

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

LIVE_SCRIPTS = ("live_connection.js", "live_canvas.js", "live.js")


def show_live(analyzer: str, token: str = "") -> None:
    """Mount the live part; the same call on every run leaves it standing as it is.

    Parameters
    ----------
    analyzer : str
        The websocket that the browser connects to.
    token : str
        What it has to show there; every reader of the page gets it.
    """
    _live()(key="live", data=live_data(analyzer, token))


SONGS = "songs"


def show_songs(data: dict[str, Any], on_choice: Callable[[], None]) -> None:
    """Lay out the songs; ``on_choice`` is called before the next run when the reader chose something."""
    _songs()(key=SONGS, data=data, on_action_change=on_choice)


def song_choice() -> tuple[str, str] | None:
    """What was chosen on one of the songs, its kind and the song's key; for ``on_choice``."""
    chosen = st.session_state[SONGS].get("action")
    return (str(chosen["kind"]), str(chosen["key"])) if chosen else None


@lru_cache(maxsize=1)  # registered once, not on every run of the page
def _live() -> ComponentRenderer:
    return st.components.v2.component(
        "overheard_live",
        html=_text("live.html"),
        css=_text("live.css"),
        js="\n".join(_text(name) for name in LIVE_SCRIPTS),
    )


@lru_cache(maxsize=1)
def _songs() -> ComponentRenderer:
    return st.components.v2.component("overheard_songs", css=_text("songs.css"), js=_text("songs.js"))


def _text(name: str) -> str:
    return (files("dashboard") / name).read_text(encoding="utf-8")
