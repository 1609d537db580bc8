"""Recommendations page: songs to play next, the reasons for them, and the user's choices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.components.songs import selected_action, show_songs
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange
from dashboard.recommendations.engine.playlist import Filters
from dashboard.session import PageContext, is_muted, recommendation_service, refresh_recommendations
from dashboard.viewmodels.songs import Situation, song_data
from dashboard.views.mute_switch import show_mute_switch


def apply_action() -> None:
    """Apply the user's action. Streamlit calls this before the list is refreshed."""
    if (selected := selected_action()) is None:
        return
    kind, target = selected
    feedback = recommendation_service().rolling_playlist.feedback
    if kind == "delete_all":
        feedback.delete_all()
    elif kind == "undo":
        feedback.delete(target)
    elif kind == "include":
        filters: Filters = st.session_state["filters"]
        st.session_state["filters"] = replace(filters, included=filters.included ^ {Relaxed(target)})
    else:
        recommendation_service().apply(kind, target)


def show(page: PageContext) -> None:
    """Show the page."""
    show_playlist(page)


@st.fragment(run_every=2.0)
def show_playlist(page: PageContext) -> None:
    """Show the songs, and refresh the page every two seconds. The playlist changes only for a reason."""
    translator, service = page.translator, recommendation_service()
    header = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["filters"] = select_filters(translator)
        show_mute_switch(translator, "mute_on_recommendations_page")
    playlist = refresh_recommendations(page.feed)
    with header:  # filled after the refresh, since the button depends on it
        st.subheader(translator("recommendations.heading"), anchor=False, width="content")
        st.button(
            translator("recommendations.other"),
            disabled=not playlist.items,
            on_click=service.rolling_playlist.request_refresh,
        )
    situation = Situation(
        page.feed.snapshot,
        service.rolling_playlist.profile,
        service.reports,
        datetime.now(UTC),
        is_muted(),
        st.session_state["filters"],
    )
    show_songs(
        song_data(playlist, situation, service.rolling_playlist.feedback.list_artists(), translator),
        apply_action,
    )


def select_filters(translator: Translator) -> Filters:
    """Show the two filters and return them. Their values survive a visit to another page.

    A new value leaves out the songs beyond the filters again.
    """
    current: Filters = st.session_state.get("filters", Filters())
    languages, ranges = ["", *LANGUAGES], list(ReleaseRange)[::-1]
    language = st.selectbox(
        translator("recommendations.filter.language"),
        languages,
        index=languages.index(current.language or ""),
        format_func=lambda code: (
            LANGUAGES[code].own_name if code else translator("recommendations.language.any")
        ),
        key="song_language",
        width=165,
    )
    release_range = st.selectbox(
        translator("recommendations.filter.range"),
        ranges,
        index=ranges.index(current.range),
        format_func=lambda each: translator(f"recommendations.range.{each}"),
        key="song_range",
        width=165,
    )
    filters = Filters(language or None, release_range)
    return current if replace(current, included=frozenset()) == filters else filters
