"""State of one browser tab: language, recommendations and mute switch.

All users share the server's feed and providers. ``st.session_state`` belongs to one browser tab and ends with
the tab.
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

ASSUMED_SECONDS = 40
"""Seconds for which the last estimate of an ended file counts as evidence."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """Context of every page: the analyzer's websocket, its token (often empty), and the translator."""

    analyzer: str
    token: str
    translator: Translator

    @property
    def feed(self) -> AnalyzerFeed:
        """The server's feed of the analyzer."""
        return analyzer_feed(self.analyzer)


def open_page(analyzer: str) -> PageContext:
    """Build the context for this run of the script, in the user's language."""
    language = st.session_state.setdefault("language", match_language(st.context.locale))
    return PageContext(analyzer, os.environ.get(TOKEN_VARIABLE, ""), Translator(language))


@st.cache_resource(show_spinner=False)
def analyzer_feed(analyzer: str) -> AnalyzerFeed:
    """Return the server's feed of an analyzer."""
    return AnalyzerFeed(analyzer, os.environ.get(TOKEN_VARIABLE, ""))


@st.cache_resource(show_spinner=False)
def providers() -> ProviderGroup:
    """Return the server's providers. All users share their quotas and circuit breakers."""
    return build_providers(WallClock())


def recommendation_service() -> RecommendationService:
    """Return the recommendations of this browser tab."""
    if "recommendation_service" not in st.session_state:
        playlist = RollingPlaylist(feedback=FeedbackStore(default_path()))
        st.session_state["recommendation_service"] = RecommendationService(providers(), playlist, WallClock())
        st.session_state["last_estimate"] = 0
    service: RecommendationService = st.session_state["recommendation_service"]
    return service


def is_muted() -> bool:
    """Return True if the user muted recommendations: no estimate counts, and no provider is searched."""
    return bool(st.session_state.get("muted", False))


def set_muted(on: bool) -> None:
    """Store the mute switch as a plain value of the session, so that it outlives the page of the switch."""
    st.session_state["muted"] = on


def refresh_all(feed: AnalyzerFeed) -> Playlist:
    """Update the recommendations with the estimates since the last call, on any page."""
    service = recommendation_service()
    estimates = feed.estimates_after(st.session_state["last_estimate"])
    if estimates:
        st.session_state["last_estimate"] = estimates[-1].number
    elif not st.session_state["last_estimate"] and not is_muted():
        estimates = estimates_so_far(feed.snapshot)
        st.session_state["last_estimate"] = -len(estimates)
    filters: Filters = st.session_state.get("filters", Filters())
    if is_muted():
        return service.update([], filters, search=False)
    return service.update(estimates, filters)


def estimates_so_far(snapshot: Snapshot) -> list[ReceivedEstimate]:
    """Return estimates for a page that opens after a file's end.

    The file's last estimate counts as if it had lasted for ``ASSUMED_SECONDS``.
    """
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [ReceivedEstimate(0, float(second), snapshot.estimate) for second in range(-ASSUMED_SECONDS, 0)]
