"""What one reader of the page has: a language, songs that follow what is heard, and what they switched off.

The feed and the providers are the server's, shared by all readers; what is in ``st.session_state`` is
this reader's own and goes with the browser's tab.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import streamlit as st

from dashboard.environment import TOKEN_VARIABLE
from dashboard.feed import Feed, Heard, Snapshot
from dashboard.recommendations.choices import Choices, default_path
from dashboard.recommendations.engine import Session
from dashboard.recommendations.follower import Follower
from dashboard.recommendations.playlist import Filters, Playlist
from dashboard.recommendations.providers import Providers, WallClock, from_environment
from dashboard.texts import Words, closest
from realtime.protocol.estimate import StreamState

HELD_SECONDS = 40


@dataclass(frozen=True, slots=True)
class Page:
    """What every page is given: the analyzer's websocket, its token (often none), and the texts."""

    analyzer: str
    token: str
    words: Words

    @property
    def feed(self) -> Feed:
        """The one feed of this server."""
        return feed_of(self.analyzer)


def open_page(analyzer: str) -> Page:
    """For this run of the script, in the reader's language."""
    language = st.session_state.setdefault("language", closest(st.context.locale))
    return Page(analyzer, os.environ.get(TOKEN_VARIABLE, ""), Words(language))


@st.cache_resource(show_spinner=False)
def feed_of(analyzer: str) -> Feed:
    """The one feed of this server."""
    return Feed(analyzer, os.environ.get(TOKEN_VARIABLE, ""))


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


def is_muted() -> bool:
    """Whether the reader wants the songs left alone: nothing heard counts, and no provider is asked."""
    return bool(st.session_state.get("muted", False))


def mute(on: bool) -> None:
    """Take the reader's word; a plain value of the session, so that it outlives the page of its switch."""
    st.session_state["muted"] = on


def look(feed: Feed) -> Playlist:
    """Let the songs follow what was heard since the last look, on whatever page the reader is."""
    reader = follower()
    heard = feed.estimates_after(st.session_state["heard"])
    if heard:
        st.session_state["heard"] = heard[-1].number
    elif not st.session_state["heard"] and not is_muted():
        heard = heard_before(feed.snapshot)
        st.session_state["heard"] = -len(heard)
    filters: Filters = st.session_state.get("filters", Filters())
    if is_muted():
        return reader.look([], filters, ask=False)
    return reader.look(heard, filters)


def heard_before(snapshot: Snapshot) -> list[Heard]:
    """For whoever opens the page after a file's end: its last estimate, as if it had held for a while."""
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [Heard(0, float(second), snapshot.estimate) for second in range(-HELD_SECONDS, 0)]
