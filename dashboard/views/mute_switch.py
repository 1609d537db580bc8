"""Switch that mutes recommendations. Several pages show it."""

from __future__ import annotations

import streamlit as st

from dashboard.i18n.translator import Translator
from dashboard.session import is_muted, set_muted


def show_mute_switch(translator: Translator, key: str) -> None:
    """Show the switch. ``key`` is its key in ``st.session_state``, one for each page."""
    st.toggle(translator("live.mute"), value=is_muted(), key=key, on_change=_apply, args=(key,))


def _apply(key: str) -> None:
    """Copy the switch of one page to the state of all pages."""
    set_muted(st.session_state[key])
