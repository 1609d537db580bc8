"""The Streamlit script: ``streamlit run app.py -- --analyzer ws://...``; ``command.py`` calls it.

It runs once per reader and again on every click; what lasts longer is the feed, which all readers
share, and the songs, which each reader keeps.
"""

from __future__ import annotations

import argparse
import os

import streamlit as st

from dashboard.command import ANALYZER, TOKEN
from dashboard.feed import Feed
from dashboard.live_view import show_live, show_songs
from dashboard.view_state import SongPanel, next_panel, why_these_songs

# Drawn here: Streamlit would fetch an emoji from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#101114"/><g fill="#ffa200"><rect x="6" y="13" width="4" height="6" rx="2"/><rect x="12" y="7" '
    'width="4" height="18" rx="2"/><rect x="18" y="10" width="4" height="12" rx="2"/><rect x="24" y="13" '
    'width="4" height="6" rx="2"/></g></svg>'
)

# Side by side where both fit, below each other where not; st.columns would squeeze them on a tablet.
LAYOUT = """<style>
.stMainBlockContainer { max-width: 94rem; padding: 1.5rem clamp(1rem, 3vw, 4rem) 3rem; }
.st-key-page { display: grid; grid-template-columns: minmax(0, 1fr) 20rem; gap: 2rem 2.5rem; }
.st-key-page > * { width: auto; min-width: 0; }
.st-key-next h3 { font-size: 1.35rem; padding: 0; }
@media (max-width: 1050px) { .st-key-page { grid-template-columns: minmax(0, 1fr); } }
</style>"""


@st.cache_resource(show_spinner=False)
def feed_of(analyzer: str) -> Feed:
    """The one feed of this server."""
    return Feed(analyzer, os.environ.get(TOKEN, ""))


@st.fragment(run_every=2.0)
def songs(analyzer: str) -> None:
    """The song list; looks at the feed every two seconds and moves only for a reason."""
    before: SongPanel = st.session_state.get("songs_panel", SongPanel())
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Play next", anchor=False, width="content")
        other = st.button("Other songs", disabled=before.genre is None)
    snapshot = feed_of(analyzer).snapshot
    panel = next_panel(before, snapshot, other_songs=other)
    st.session_state["songs_panel"] = panel
    show_songs(panel, why_these_songs(panel, snapshot))


def page() -> None:
    """The whole page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default=ANALYZER)
    analyzer: str = parser.parse_args().analyzer
    st.set_page_config(page_title="Overheard", page_icon=ICON, layout="wide")
    st.html(LAYOUT)
    with st.container(key="page"):
        with st.container(key="heard"):
            show_live(analyzer, os.environ.get(TOKEN, ""))
        with st.container(key="next"):
            songs(analyzer)


if __name__ == "__main__":
    page()
