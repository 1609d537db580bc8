"""Live page: the current genre, and a few songs that follow the music."""

from __future__ import annotations

import streamlit as st

from dashboard.components.live import show_live
from dashboard.components.next_songs import are_next_songs_seen, show_next_songs
from dashboard.session import PageContext, is_muted, recommendation_service, refresh_recommendations
from dashboard.views.mute_switch import show_mute_switch


def show(page: PageContext) -> None:
    """Show the page."""
    with st.container(key="live_page"):
        live, songs = st.columns([4, 1], gap="medium")
        with live:
            show_live(page.analyzer, page.token, page.translator, page.feed.estimates_after(0))
        with songs:
            show_songs(page)


@st.fragment(run_every=5.0)
def show_songs(page: PageContext) -> None:
    """Show a few songs, and refresh them while the page is open."""
    translator = page.translator
    playlist = refresh_recommendations(page.feed, is_seen=are_next_songs_seen())
    show_next_songs(playlist, recommendation_service().rolling_playlist.profile, is_muted(), translator)
    with st.container():  # its place is kept, so that the switch stays in its own
        if not is_muted():
            label = translator("common.page.for_you")
            st.page_link(st.Page(lambda: None, url_path="for_you", title=label), label=label)
    show_mute_switch(translator, "mute_on_live_page")
