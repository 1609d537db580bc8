"""The timeline of a session: its data goes to the browser, the selected segment comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components.assets import register_component

KEY = "timeline"


def show_timeline(data: dict[str, Any], on_select: Callable[[], None]) -> None:
    """Show a session; ``on_select`` is called before the next run if the reader selected a segment."""
    mount = register_component("timeline")
    mount(key=KEY, data=data, on_chosen_change=on_select)


def show_shares(shares: list[dict[str, Any]], heading: str) -> None:
    """Show the genres' shares, as ``session_view.share_rows`` returns them."""
    mount = register_component("timeline", "shares")
    mount(key="shares", data={"shares": shares, "heading": heading})


def selected_segment() -> tuple[int, int] | None:
    """Return session and number of the selected segment; for ``on_select``."""
    chosen = st.session_state[KEY].get("chosen")
    return (int(chosen["session"]), int(chosen["number"])) if chosen else None
