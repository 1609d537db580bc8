"""State of one browser tab: language, recommendations and mute switch.

``st.session_state`` belongs to one browser tab and ends with the tab. The feed of the analyzer and the song
providers are shared by all tabs.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass

import streamlit as st

from dashboard.analyzer.feed import AnalyzerFeed
from dashboard.analyzer.snapshot import ReceivedEstimate, Snapshot
from dashboard.environment import TOKEN_VARIABLE
from dashboard.i18n.translator import Translator, match_language
from dashboard.recommendations.domain.identity import playing_keys
from dashboard.recommendations.domain.language import heard_languages
from dashboard.recommendations.engine.feedback import FeedbackStore, default_feedback_path
from dashboard.recommendations.engine.playlist import Filters, Playlist
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.shown_songs import ShownSongs, default_shown_path
from dashboard.recommendations.filter_choice import FilterChoice, automatic_languages
from dashboard.recommendations.providers.registry import ProviderGroup, WallClock, build_providers
from dashboard.recommendations.service import RecommendationService
from realtime.protocol.estimate import StreamState

MAX_TITLES = 9
"""Last titles whose languages count."""
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
    library : str
        Table of the user's own tracks, empty if there is none.
    """

    analyzer: str
    token: str
    translator: Translator
    library: str = ""

    @property
    def feed(self) -> AnalyzerFeed:
        """Feed of the analyzer, shared by all tabs."""
        return analyzer_feed(self.analyzer)


def build_page_context(analyzer: str, library: str = "") -> PageContext:
    """Build the context of a page for this run of the script."""
    language = st.session_state.setdefault("language", match_language(st.context.locale))
    return PageContext(analyzer, os.environ.get(TOKEN_VARIABLE, ""), Translator(language), library)


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
        clock = WallClock()
        playlist = RollingPlaylist(
            feedback=FeedbackStore(default_feedback_path()),
            shown=ShownSongs(default_shown_path(), clock.now().timestamp()),
        )
        st.session_state["recommendation_service"] = RecommendationService(providers(), playlist, clock)
        st.session_state["last_estimate_number"] = 0
    service: RecommendationService = st.session_state["recommendation_service"]
    return service


def is_muted() -> bool:
    """Return True if the user muted recommendations.

    Then no estimate and no title counts, and no provider is searched.
    """
    return bool(st.session_state.get("muted", False))


def set_muted(muted: bool) -> None:
    """Store the mute switch apart from its widget, since Streamlit forgets a widget's value with its page."""
    st.session_state["muted"] = muted


def filter_choice() -> FilterChoice:
    """Return the filters that the user chose in this tab."""
    choice: FilterChoice = st.session_state.setdefault("filter_choice", FilterChoice())
    return choice


def set_filter_choice(choice: FilterChoice) -> None:
    """Store the filters that the user chose in this tab."""
    st.session_state["filter_choice"] = choice


def song_languages() -> tuple[str, ...]:
    """Return the languages of the automatic choice, from the last titles, the page and the browser."""
    reader = [st.session_state.get("language", "en"), match_language(st.context.locale)]
    return automatic_languages(st.session_state.get("heard_languages", ()), reader)


def current_filters() -> Filters:
    """Return the filters of this tab."""
    return filter_choice().filters(song_languages())


def remember_title(snapshot: Snapshot) -> None:
    """Add the title that plays to the last titles of this tab, whose languages count."""
    titles = st.session_state.setdefault("titles", deque(maxlen=MAX_TITLES))
    title = (snapshot.artist, snapshot.song or snapshot.title)
    if any(title) and title not in titles:
        titles.append(title)
        known = st.session_state.get("heard_languages", ())
        st.session_state["heard_languages"] = heard_languages(titles, known)


def is_choice_unchanged() -> bool:
    """Return True if the filters and the language of the page are those of the last call."""
    choice = (filter_choice(), st.session_state.get("language"))
    before = st.session_state.get("last_choice")
    st.session_state["last_choice"] = choice
    return bool(choice == before)


def refresh_recommendations(feed: AnalyzerFeed, *, is_seen: bool) -> Playlist:
    """Update the recommendations with the estimates since the last call, and return the playlist.

    Parameters
    ----------
    feed : AnalyzerFeed
    is_seen : bool
        True if the user sees the songs. Otherwise, no time passes for the timer.
    """
    service, snapshot = recommendation_service(), feed.snapshot
    estimates = feed.estimates_after(st.session_state["last_estimate_number"])
    if estimates:
        st.session_state["last_estimate_number"] = estimates[-1].number
    elif not st.session_state["last_estimate_number"] and not is_muted():
        estimates = estimates_so_far(snapshot)
        st.session_state["last_estimate_number"] = -len(estimates)
    if is_muted():
        estimates, playing = [], frozenset[str]()
    else:
        remember_title(snapshot)
        playing = playing_keys(snapshot.artist, snapshot.song, snapshot.title)
    return service.update(
        estimates,
        current_filters(),
        search=not is_muted(),
        is_seen=is_seen,
        playing=playing,
        by_titles=is_choice_unchanged(),
    )


def estimates_so_far(snapshot: Snapshot) -> list[ReceivedEstimate]:
    """Return the estimates for a page that opens after the end of a file.

    The last estimate of the file counts as if it had lasted for ``ASSUMED_SECONDS``. The result is empty if
    no file has ended.
    """
    if snapshot.state is not StreamState.ENDED or snapshot.estimate is None:
        return []
    return [ReceivedEstimate(0, float(second), snapshot.estimate) for second in range(-ASSUMED_SECONDS, 0)]
