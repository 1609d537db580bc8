"""The Streamlit script: ``streamlit run app.py -- --analyzer ws://...``; ``command.py`` calls it.

It runs once per reader and again on every click; what lasts longer is the feed, which all readers
share, and the songs, which each reader keeps.
"""

from __future__ import annotations

import argparse
import os

import streamlit as st

from dashboard.command import ANALYZER, TOKEN
from dashboard.feed import Feed, Heard, Snapshot
from dashboard.live_view import show_live, show_songs, song_choice
from dashboard.recommendations.choices import Choices, default_path
from dashboard.recommendations.engine import Session
from dashboard.recommendations.follower import Follower
from dashboard.recommendations.playlist import Filters
from dashboard.recommendations.providers import Providers, WallClock, from_environment
from dashboard.view_state import LANGUAGE_CHOICES, RANGE_CHOICES, song_data
from realtime.estimates import StreamState

HELD_SECONDS = 40
MOST_CHOICES = 30
"""Of a reader's own that are listed; all of them count."""

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


@st.cache_resource(show_spinner=False)
def providers() -> Providers:
    """Those of this server, with the keys of its environment; budgets and breakers are shared."""
    return from_environment(WallClock())


def follower() -> Follower:
    """This reader's songs."""
    if "follower" not in st.session_state:
        session = Session(choices=Choices(default_path(os.environ)))
        st.session_state["follower"] = Follower(providers(), session, WallClock())
        st.session_state["heard"] = 0
    kept: Follower = st.session_state["follower"]
    return kept


def act() -> None:
    """Do what was chosen before the list can move under it."""
    if (chosen := song_choice()) is not None:
        follower().act(*chosen)


@st.fragment(run_every=2.0)
def songs(analyzer: str) -> None:
    """The song list; looks at the feed every two seconds and moves only for a reason."""
    reader, feed = follower(), feed_of(analyzer)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Play next", anchor=False, width="content")
        if st.button("Other songs", disabled=not reader.session.playlist.rows):
            reader.session.refresh()
    with st.container(horizontal=True):
        language = st.selectbox("Language", list(LANGUAGE_CHOICES), label_visibility="collapsed")
        age = st.selectbox("Age", list(RANGE_CHOICES), label_visibility="collapsed")
    heard = feed.estimates_after(st.session_state["heard"])
    if heard:
        st.session_state["heard"] = heard[-1].number
    elif not st.session_state["heard"]:
        heard = heard_before(feed.snapshot)
        st.session_state["heard"] = -len(heard)
    playlist = reader.look(heard, Filters(LANGUAGE_CHOICES[language], RANGE_CHOICES[age]))
    show_songs(song_data(playlist, feed.snapshot, reader.sentences), act)
    own_choices(reader.session.choices)


def heard_before(snapshot: Snapshot) -> list[Heard]:
    """For whoever opens the page after a file's end: its last estimate, as if it had held for a while."""
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [Heard(0, float(second), snapshot.estimate) for second in range(-HELD_SECONDS, 0)]


def own_choices(choices: Choices) -> None:
    """What this person liked, skipped or banned: shown, taken back, deleted in one step."""
    listing = sorted(choices.listing(), key=lambda each: not each.banned)  # these can be taken back
    if not listing:
        return
    with st.expander(f"Your choices ({len(listing)})"):
        st.caption("Kept on the computer that serves this page, and nowhere else: names and counts.")
        for each in listing[:MOST_CHOICES]:
            words = [f"liked {each.likes}" * bool(each.likes), f"skipped {each.skips}" * bool(each.skips)]
            said = ", ".join(word for word in (*words, "never again" * each.banned) if word)
            with st.container(horizontal=True, horizontal_alignment="distribute"):
                st.text(f"{each.artist}: {said}")
                if each.banned and st.button("Allow again", key=f"allow {each.artist}"):
                    choices.unban(each.artist)
                    st.rerun(scope="fragment")
        if st.button("Forget all"):
            choices.forget_all()
            st.rerun(scope="fragment")


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
