"""Timeline of a session. The data goes to the browser, and the selected segment comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components.assets import register_component

KEY = "timeline"


def show_timeline(data: dict[str, Any], on_select: Callable[[], None]) -> None:
    """Show a session. Streamlit calls ``on_select`` when the user selects a segment, before the next run."""
    mount = register_component("timeline")
    mount(key=KEY, data=data, on_selected_change=on_select)


def show_shares(shares: list[dict[str, Any]], heading: str) -> None:
    """Show the shares of the genres. ``shares`` come from ``viewmodels.history.share_rows``."""
    mount = register_component("timeline", "shares")
    mount(key="shares", data={"shares": shares, "heading": heading})


def selected_segment() -> tuple[int, int] | None:
    """Return the session and the number of the selected segment, or None. ``on_select`` calls this."""
    selected = st.session_state[KEY].get("selected")
    return (int(selected["session"]), int(selected["number"])) if selected else None
