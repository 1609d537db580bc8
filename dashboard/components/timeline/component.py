"""The timeline of a session: what to draw comes as data, the segment that a reader chose goes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components import text_of

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

TIMELINE = "timeline"
SCRIPTS = ("timeline_scale.js", "timeline_picture.js", "timeline_list.js", "timeline.js")
"""Joined here, because a component is one module."""


def show_timeline(data: dict[str, Any], on_choice: Callable[[], None]) -> None:
    """Draw a session; ``on_choice`` is called before the next run when the reader chose a segment."""
    _timeline()(key=TIMELINE, data=data, on_chosen_change=on_choice)


def show_shares(shares: list[dict[str, Any]], heading: str) -> None:
    """Lay out the genres' shares, as ``session_view.share_rows`` gives them."""
    _shares()(key="shares", data={"shares": shares, "heading": heading})


def chosen_segment() -> tuple[int, int] | None:
    """Session and number of the segment that was chosen; for ``on_choice``."""
    chosen = st.session_state[TIMELINE].get("chosen")
    return (int(chosen["session"]), int(chosen["number"])) if chosen else None


@lru_cache(maxsize=1)
def _timeline() -> ComponentRenderer:
    script = "\n".join(text_of(name) for name in SCRIPTS)
    return st.components.v2.component(
        "overheard_timeline", html=text_of("timeline.html"), css=text_of("timeline.css"), js=script
    )


@lru_cache(maxsize=1)
def _shares() -> ComponentRenderer:
    return st.components.v2.component(
        "overheard_shares", css=text_of("timeline.css"), js=text_of("timeline_shares.js")
    )
