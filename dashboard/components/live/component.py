"""The live part of the page. It opens its own websocket, so nothing on it waits for Streamlit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components import text_of
from dashboard.feed import Heard
from dashboard.texts import Words
from dashboard.view_state import live_data

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPTS = (
    "live_words.js", "live_connection.js", "live_canvas.js", "live_bars.js", "live_sources.js", "live.js",
)  # fmt: skip
"""Joined here, because a component is one module."""


def show_live(analyzer: str, token: str, words: Words, past: Sequence[Heard]) -> None:
    """Mount the live part; later runs leave it standing as it is, but for the language.

    Parameters
    ----------
    analyzer : str
        The websocket that the browser connects to.
    token : str
        What it has to show there; every reader of the page gets it.
    words : Words
        The reader's language.
    past : sequence of Heard
        What this server heard before the page was opened, oldest first.
    """
    _live()(key="live", data=live_data(analyzer, token, words, past, time.monotonic()))


@lru_cache(maxsize=1)  # registered once, not on every run of the page
def _live() -> ComponentRenderer:
    script = "\n".join(text_of(name) for name in SCRIPTS)
    return st.components.v2.component(
        "overheard_live", html=text_of("live.html"), css=text_of("live.css"), js=script
    )
