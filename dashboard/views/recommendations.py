"""Songs worth playing next, what caused them, and what the reader chose."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard.components.songs import selected_action, show_songs
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.tracks import ReleaseRange
from dashboard.recommendations.engine.playlist import Filters
from dashboard.session import PageContext, is_muted, mute, recommendation_service, refresh_all
from dashboard.viewmodels.songs import Situation, song_data


def act() -> None:
    """Do what was chosen before the list can move under it."""
    if (chosen := selected_action()) is None:
        return
    kind, name = chosen
    choices = recommendation_service().session.choices
    if kind == "forget":
        choices.forget_all()
    elif kind == "take back":
        choices.forget(name)
    else:
        recommendation_service().act(kind, name)


def show(page: PageContext) -> None:
    """Lay the page out."""
    songs(page)


@st.fragment(run_every=2.0)
def songs(page: PageContext) -> None:
    """The songs; looks at the feed every two seconds and moves only for a reason."""
    words, reader = page.words, recommendation_service()
    head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["filters"] = chosen_filters(words)
        st.toggle(words("live.mute"), value=is_muted(), key="mute_here", on_change=take_mute)
    playlist = refresh_all(page.feed)
    with head:  # after the look: where there are songs, there may be others
        st.subheader(words("recommendations.heading"), anchor=False, width="content")
        st.button(words("recommendations.other"), disabled=not playlist.rows, on_click=reader.session.refresh)
    situation = Situation(
        page.feed.snapshot, reader.session.evidence, reader.told, datetime.now(UTC), is_muted()
    )
    show_songs(song_data(playlist, situation, reader.session.choices.listing(), words), act)


def take_mute() -> None:
    """The switch is this page's; what it says is every page's."""
    mute(st.session_state["mute_here"])


def chosen_filters(words: Translator) -> Filters:
    """The two boxes; on a return to the page they stand as they were left."""
    kept: Filters = st.session_state.get("filters", Filters())
    languages, ranges = ["", *LANGUAGES], list(ReleaseRange)[::-1]
    language = st.selectbox(
        words("recommendations.filter.language"),
        languages,
        index=languages.index(kept.language or ""),
        format_func=lambda code: LANGUAGES[code].own_name if code else words("recommendations.language.any"),
        key="song_language",
        width=165,
    )
    age = st.selectbox(
        words("recommendations.filter.range"),
        ranges,
        index=ranges.index(kept.range),
        format_func=lambda each: words(f"recommendations.range.{each}"),
        key="song_range",
        width=165,
    )
    return Filters(language or None, age)
