"""What is heard now, and a few songs that would go well after it."""

from __future__ import annotations

import streamlit as st

from dashboard.components.live import show_live
from dashboard.components.next_songs import show_next_songs
from dashboard.session import PageContext, is_muted, mute, recommendation_service, refresh_all

SWITCH = "mute_live"


def show(page: PageContext) -> None:
    """Lay the page out."""
    with st.container(key="live_page"):
        live, songs = st.columns([4, 1], gap="medium")
        with live:
            show_live(page.analyzer, page.token, page.words, page.feed.estimates_after(0))
        with songs:
            play_next(page)


@st.fragment(run_every=5.0)
def play_next(page: PageContext) -> None:
    """A few songs; they follow what is heard while the reader is on this page, too."""
    words = page.words
    playlist = refresh_all(page.feed)
    show_next_songs(playlist, recommendation_service().session.evidence, is_muted(), words)
    if not is_muted():
        label = words("common.page.for_you")
        st.page_link(st.Page(lambda: None, url_path="for_you", title=label), label=label)
    st.toggle(words("live.mute"), value=is_muted(), key=SWITCH, on_change=take_mute)


def take_mute() -> None:
    """The switch is this page's; what it says is every page's."""
    mute(st.session_state[SWITCH])
