"""What one reader of the page has: a language, songs that follow what is heard, and what they switched off.

The feed and the providers are the server's, shared by all readers; what is in ``st.session_state`` is
this reader's own and goes with the browser's tab.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import streamlit as st

from dashboard.analyzer.feed import AnalyzerFeed
from dashboard.analyzer.snapshot import ReceivedEstimate, Snapshot
from dashboard.environment import TOKEN_VARIABLE
from dashboard.i18n.translator import Translator, match_language
from dashboard.recommendations.engine.feedback import FeedbackStore, default_path
from dashboard.recommendations.engine.playlist import Filters, Playlist
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.registry import ProviderGroup, WallClock, build_providers
from dashboard.recommendations.service import RecommendationService
from realtime.protocol.estimate import StreamState

HELD_SECONDS = 40


@dataclass(frozen=True, slots=True)
class PageContext:
    """What every page is given: the analyzer's websocket, its token (often none), and the texts."""

    analyzer: str
    token: str
    words: Translator

    @property
    def feed(self) -> AnalyzerFeed:
        """The one feed of this server."""
        return analyzer_feed(self.analyzer)


def open_page(analyzer: str) -> PageContext:
    """For this run of the script, in the reader's language."""
    language = st.session_state.setdefault("language", match_language(st.context.locale))
    return PageContext(analyzer, os.environ.get(TOKEN_VARIABLE, ""), Translator(language))


@st.cache_resource(show_spinner=False)
def analyzer_feed(analyzer: str) -> AnalyzerFeed:
    """The one feed of this server."""
    return AnalyzerFeed(analyzer, os.environ.get(TOKEN_VARIABLE, ""))


@st.cache_resource(show_spinner=False)
def providers() -> ProviderGroup:
    """Those of this server, with the keys of its environment; budgets and breakers are shared."""
    return build_providers(WallClock())


def recommendation_service() -> RecommendationService:
    """This reader's songs."""
    if "follower" not in st.session_state:
        session = RollingPlaylist(choices=FeedbackStore(default_path()))
        st.session_state["follower"] = RecommendationService(providers(), session, WallClock())
        st.session_state["heard"] = 0
    kept: RecommendationService = st.session_state["follower"]
    return kept


def is_muted() -> bool:
    """Whether the reader wants the songs left alone: nothing heard counts, and no provider is asked."""
    return bool(st.session_state.get("muted", False))


def mute(on: bool) -> None:
    """Take the reader's word; a plain value of the session, so that it outlives the page of its switch."""
    st.session_state["muted"] = on


def refresh_all(feed: AnalyzerFeed) -> Playlist:
    """Let the songs follow what was heard since the last look, on whatever page the reader is."""
    reader = recommendation_service()
    heard = feed.estimates_after(st.session_state["heard"])
    if heard:
        st.session_state["heard"] = heard[-1].number
    elif not st.session_state["heard"] and not is_muted():
        heard = estimates_so_far(feed.snapshot)
        st.session_state["heard"] = -len(heard)
    filters: Filters = st.session_state.get("filters", Filters())
    if is_muted():
        return reader.look([], filters, ask=False)
    return reader.look(heard, filters)


def estimates_so_far(snapshot: Snapshot) -> list[ReceivedEstimate]:
    """For whoever opens the page after a file's end: its last estimate, as if it had held for a while."""
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [ReceivedEstimate(0, float(second), snapshot.estimate) for second in range(-HELD_SECONDS, 0)]
