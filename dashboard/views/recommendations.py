"""Recommendations page: songs to play next, the reasons for them, and the user's choices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.components.songs import are_songs_seen, selected_action, show_songs
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.tracks import LIVE_RANGES, Relaxed, ReleaseRange
from dashboard.recommendations.filter_choice import ANY, AUTOMATIC, CHOICES, FilterChoice
from dashboard.session import (
    PageContext,
    current_filters,
    filter_choice,
    is_muted,
    providers,
    recommendation_service,
    refresh_recommendations,
    set_filter_choice,
    song_languages,
)
from dashboard.viewmodels.songs import Situation, song_data
from dashboard.views.mute_switch import show_mute_switch
from dashboard.views.own_tracks import show_own_tracks


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
        choice = filter_choice()
        set_filter_choice(replace(choice, included=choice.included ^ {Relaxed(target)}))
    else:
        recommendation_service().apply(kind, target)


def show(page: PageContext) -> None:
    """Show the page."""
    show_own_tracks(page)  # first, because they play at once and as a whole
    show_playlist(page)


@st.fragment(run_every=2.0)
def show_playlist(page: PageContext) -> None:
    """Show the songs, and refresh the page every two seconds. The playlist changes only for a reason."""
    translator, service = page.translator, recommendation_service()
    header = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        set_filter_choice(select_filters(translator))
        show_mute_switch(translator, "mute_on_recommendations_page")
    playlist = refresh_recommendations(page.feed, is_seen=are_songs_seen())
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
        current_filters(),
        are_songs_seen(),
    )
    show_songs(
        song_data(playlist, situation, service.rolling_playlist.feedback.list_artists(), translator),
        apply_action,
    )


def select_filters(translator: Translator) -> FilterChoice:
    """Show the two filters and return the choice. The values survive a visit to another page.

    A new value leaves out the songs beyond the filters again. The last week, month and year are offered only
    if a live service is set up, since the bundled catalog has no such songs.
    """
    current, ranges = filter_choice(), [ReleaseRange.ANY, *list(ReleaseRange)[:-1]]
    if not providers().has_live:
        ranges = [each for each in ranges if each not in LIVE_RANGES]
    language = st.selectbox(
        translator("recommendations.filter.language"),
        CHOICES,
        index=CHOICES.index(current.language),
        format_func=lambda code: language_name(code, translator),
        key="song_language",
        width=190,
    )
    release_range = st.selectbox(
        translator("recommendations.filter.range"),
        ranges,
        index=ranges.index(current.range),
        format_func=lambda each: translator(f"recommendations.range.{each}"),
        key="song_range",
        width=150,
    )
    choice = FilterChoice(language, release_range)
    return current if replace(current, included=frozenset()) == choice else choice


def language_name(code: str, translator: Translator) -> str:
    """Return the name of a choice of language."""
    if code == AUTOMATIC:
        names = translator("recommendations.comma").join(
            LANGUAGES[each].own_name for each in song_languages()
        )
        return translator("recommendations.language.auto", languages=names)
    return translator("recommendations.language.any") if code == ANY else LANGUAGES[code].own_name
