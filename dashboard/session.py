"""State of one browser tab: language, recommendations and mute switch.

``st.session_state`` belongs to one browser tab and ends with the tab. The feed of the analyzer and the song
providers are shared by all tabs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import streamlit as st

from dashboard.analyzer.feed import AnalyzerFeed
from dashboard.analyzer.snapshot import ReceivedEstimate, Snapshot
from dashboard.environment import TOKEN_VARIABLE
from dashboard.i18n.translator import Translator, match_language
from dashboard.recommendations.engine.feedback import FeedbackStore, default_feedback_path
from dashboard.recommendations.engine.playlist import Filters, Playlist
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.registry import ProviderGroup, WallClock, build_providers
from dashboard.recommendations.service import RecommendationService
from realtime.protocol.estimate import StreamState

ASSUMED_SECONDS = 40
"""Seconds for which the last estimate of an ended file counts as evidence."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """Context of every page.

    Attributes
    ----------
    analyzer : str
        Websocket address of the analyzer.
    token : str
        Token for the analyzer, empty if there is none.
    translator : Translator
        Texts in the user's language.
    """

    analyzer: str
    token: str
    translator: Translator

    @property
    def feed(self) -> AnalyzerFeed:
        """Feed of the analyzer, shared by all tabs."""
        return analyzer_feed(self.analyzer)


def build_page_context(analyzer: str) -> PageContext:
    """Build the context of a page for this run of the script."""
    language = st.session_state.setdefault("language", match_language(st.context.locale))
    return PageContext(analyzer, os.environ.get(TOKEN_VARIABLE, ""), Translator(language))


@st.cache_resource(show_spinner=False)
def analyzer_feed(analyzer: str) -> AnalyzerFeed:
    """Return the feed of an analyzer. All tabs share it."""
    return AnalyzerFeed(analyzer, os.environ.get(TOKEN_VARIABLE, ""))


@st.cache_resource(show_spinner=False)
def providers() -> ProviderGroup:
    """Return the song providers. All tabs share their quotas and circuit breakers."""
    return build_providers(WallClock())


def recommendation_service() -> RecommendationService:
    """Return the recommendation service of this browser tab."""
    if "recommendation_service" not in st.session_state:
        playlist = RollingPlaylist(feedback=FeedbackStore(default_feedback_path()))
        st.session_state["recommendation_service"] = RecommendationService(providers(), playlist, WallClock())
        st.session_state["last_estimate_number"] = 0
    service: RecommendationService = st.session_state["recommendation_service"]
    return service


def is_muted() -> bool:
    """Return True if the user muted recommendations. Then no estimate counts, and no provider is searched."""
    return bool(st.session_state.get("muted", False))


def set_muted(muted: bool) -> None:
    """Store the mute switch apart from its widget, since Streamlit forgets a widget's value with its page."""
    st.session_state["muted"] = muted


def refresh_recommendations(feed: AnalyzerFeed) -> Playlist:
    """Update the recommendations with the estimates since the last call, and return the playlist."""
    service = recommendation_service()
    estimates = feed.estimates_after(st.session_state["last_estimate_number"])
    if estimates:
        st.session_state["last_estimate_number"] = estimates[-1].number
    elif not st.session_state["last_estimate_number"] and not is_muted():
        estimates = estimates_so_far(feed.snapshot)
        st.session_state["last_estimate_number"] = -len(estimates)
    filters: Filters = st.session_state.get("filters", Filters())
    if is_muted():
        return service.update([], filters, search=False)
    return service.update(estimates, filters)


def estimates_so_far(snapshot: Snapshot) -> list[ReceivedEstimate]:
    """Return the estimates for a page that opens after the end of a file.

    The last estimate of the file counts as if it had lasted for ``ASSUMED_SECONDS``. The result is empty if
    no file has ended.
    """
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [ReceivedEstimate(0, float(second), snapshot.estimate) for second in range(-ASSUMED_SECONDS, 0)]
