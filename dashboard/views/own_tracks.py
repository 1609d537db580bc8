"""Tracks of the user's own library on the recommendations page."""

from __future__ import annotations

import streamlit as st

from dashboard.analyzer.http import AnalyzerError, fetch_json
from dashboard.analyzer.sound import PlayingSound, parse_sound
from dashboard.components.own_tracks import show_tracks
from dashboard.library.index import Neighbor
from dashboard.library.shelf import shared_shelf
from dashboard.library.table import LibraryError
from dashboard.recommendations.domain.identity import playing_keys
from dashboard.session import PageContext, is_muted
from dashboard.viewmodels.own_tracks import fault_data, own_tracks_data

MAX_TRACKS = 6
"""Tracks that are shown."""
ASK_SECONDS = 2.0
"""Seconds in which the analyzer must say what is playing. It runs beside the page."""


@st.fragment(run_every=10.0)
def show_own_tracks(page: PageContext) -> None:
    """Show tracks that sound like what is playing, and look for others every ten seconds."""
    if not page.library:
        return
    sound = None if is_muted() else ask_analyzer(page)
    key = "own_tracks"
    model = sound.model if sound else st.session_state.get("own_tracks_model", "")
    if not model:
        show_tracks(own_tracks_data((), 0, is_muted(), page.translator))
        return
    st.session_state["own_tracks_model"] = model
    try:
        index = shared_shelf(page.library).index(model)
    except LibraryError as error:
        show_tracks(fault_data(error.fault, page.translator))
        return
    if sound is not None and sound.embedding is not None:
        snapshot = page.feed.snapshot
        playing = playing_keys(snapshot.artist, snapshot.song, snapshot.title)
        st.session_state[key] = index.neighbors(sound.embedding, MAX_TRACKS, playing=playing)
    neighbors: list[Neighbor] = st.session_state.get(key, [])
    show_tracks(own_tracks_data(neighbors, len(index), is_muted(), page.translator))


def ask_analyzer(page: PageContext) -> PlayingSound | None:
    """Ask the analyzer what is playing. Returns None if it does not answer, as the page shows elsewhere."""
    if not page.feed.snapshot.connected:
        return None
    try:
        return parse_sound(fetch_json(page.analyzer, page.token, "/sound", ASK_SECONDS))
    except AnalyzerError:
        return None
