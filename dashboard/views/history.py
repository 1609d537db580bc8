"""History page: recorded sessions of the analyzer, with corrections, export and deletion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard.analyzer.http import (
    DEADLINE_SECONDS,
    AnalyzerError,
    Fault,
    fetch_json,
    new_control_id,
    send_control,
)
from dashboard.components.timeline import selected_segment, show_shares, show_timeline
from dashboard.i18n.translator import Translator
from dashboard.session import PageContext
from dashboard.viewmodels.history import (
    format_segment,
    format_session,
    outcome_key,
    parse_overview,
    parse_session,
    share_rows,
    timeline_data,
)
from dashboard.viewmodels.history_export import export_csv, export_json, format_file_name
from dashboard.viewmodels.theme import GENRE_COLORS
from realtime.protocol.history import HistoryOverview, HistorySegment, HistorySession
from realtime.protocol.requests import CorrectLabel, DeleteHistory, HistoryControl

REFRESH_SECONDS = 5.0
"""Seconds between refreshes. The analyzer writes its history as often."""
DELETE_TIMEOUT_SECONDS = 20.0
"""Seconds that deleting the history may take."""
EXPORT = "overheard history --export-corrections FOLDER"


@dataclass(slots=True)
class LoadedHistory:
    """The history that the page loaded last. Exports are made from it when the user requests them."""

    overview: HistoryOverview
    record: dict[str, Any]
    session: HistorySession


def show(page: PageContext) -> None:
    """Show the page."""
    state = st.session_state
    st.subheader(page.translator("common.page.session"), anchor=False)
    state.pop("session_laid_out", None)
    show_history(page)
    loaded: LoadedHistory | None = state.get("session_seen")
    state["session_laid_out"] = layout_state(loaded)
    if loaded is not None:
        st.divider()
        show_exports(page, loaded)
        show_deletion(page, loaded.overview)


def layout_state(loaded: LoadedHistory | None) -> object:
    """Return the values on which the parts outside of the fragment depend."""
    if loaded is None:
        return None
    overview = loaded.overview
    return loaded.session.id, overview.corrections, overview.sounds


@st.fragment(run_every=REFRESH_SECONDS)
def show_history(page: PageContext) -> None:
    """Show the session and refresh it while the page is open."""
    refresh(page)
    now = layout_state(st.session_state.get("session_seen"))
    if st.session_state.get("session_laid_out", now) != now:
        st.rerun()


def refresh(page: PageContext) -> None:
    """Load the history and show it, or show why it cannot be loaded."""
    translator, zone, state = page.translator, browser_zone(), st.session_state
    with st.container():  # its place is kept, so that nothing after it moves
        show_outcome("forget", translator)
    try:
        overview = parse_overview(fetch_json(page.analyzer, page.token, "/history"))
        if overview.path is None or not overview.sessions:
            st.info(translator("history.fault.off" if overview.path is None else "history.none"))
            state.pop("session_seen", None)
            return
        number = select_session(overview, zone, translator)
        record, session = load(page, overview, number)
        store_loaded(overview, record, session)
    except AnalyzerError as error:
        notify(error, translator)
        return
    except ValueError as error:
        notify(AnalyzerError(Fault.BROKEN, str(error)), translator)
        return
    selection = st.session_state.get("session_segment")
    selected = selection[1] if selection is not None and selection[0] == number else None
    show_timeline(timeline_data(session, selected, translator), choose_segment)
    correction, shares = st.columns([2, 3], gap="large")
    with correction, st.container(border=True):
        show_correction(page, session, selected, zone)
    with shares:
        show_shares(share_rows(session.segments, translator), translator("history.shares"))


def store_loaded(overview: HistoryOverview, record: dict[str, Any], session: HistorySession) -> None:
    """Store the loaded history for the rest of the page. Its buttons hold this one object."""
    loaded: LoadedHistory = st.session_state.setdefault(
        "session_seen", LoadedHistory(overview, record, session)
    )
    loaded.overview, loaded.record, loaded.session = overview, record, session


def browser_zone() -> tzinfo | None:
    """Return the time zone of the browser, or None for the server's if it is unknown."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def select_session(overview: HistoryOverview, zone: tzinfo | None, translator: Translator) -> int:
    """Return the session to show: the newest, unless the user selected another or corrects a segment."""
    state = st.session_state
    known = {each.id: each for each in overview.sessions}
    state["session_newest"] = newest = overview.sessions[0].id
    following = state.get("session_follows", True) and "session_segment" not in state
    if following or state.get("session_number") not in known:
        state["session_number"] = newest
    state["session_shown"] = state["session_number"]
    st.selectbox(
        translator("history.choose"),
        list(known),
        format_func=lambda each: format_session(known[each], zone, translator, st.context.locale or ""),
        key="session_shown",
        on_change=choose_session,
    )
    return int(state["session_number"])


def choose_session() -> None:
    """Store the session that the user selected. Any but the newest stays selected.

    Streamlit identifies options by their texts. When a text changes, as at a session's end or with the
    language, Streamlit calls this with the old text although the user selected nothing.
    """
    state = st.session_state
    shown = state["session_shown"]
    if isinstance(shown, int) and shown != state["session_number"]:
        state["session_number"] = shown
        state["session_follows"] = shown == state["session_newest"]
        close_segment()


def choose_segment() -> None:
    """Store the segment that the user selected on the timeline or in its list."""
    if (selected := selected_segment()) is not None:
        st.session_state["session_segment"] = selected
        st.session_state.pop("session_outcome", None)


def close_segment() -> None:
    """Close the selected segment."""
    st.session_state.pop("session_segment", None)
    st.session_state.pop("session_outcome", None)


def load(page: PageContext, overview: HistoryOverview, number: int) -> tuple[dict[str, Any], HistorySession]:
    """Return one session's document and its parsed form. A session that has ended is not loaded again."""
    summary = next(each for each in overview.sessions if each.id == number)
    stamp = (number, summary.started, summary.until, overview.corrections)
    cached = st.session_state.get("session_record")
    if cached is not None and cached[0] == stamp and not summary.running:
        return cached[1], cached[2]
    record = fetch_json(page.analyzer, page.token, f"/history/{number}")
    session = parse_session(record)
    st.session_state["session_record"] = (stamp, record, session)
    return record, session


def notify(error: AnalyzerError, translator: Translator) -> None:
    """Show the error and its remedy, with the analyzer's message if there is one."""
    st.warning(translator(f"history.fault.{error.fault}", seconds=f"{DEADLINE_SECONDS:g}"))
    if error.detail:
        st.text(f"{translator('history.analyzer_message')} {error.detail}")


def apply_control(page: PageContext, place: str, control: HistoryControl) -> None:
    """Send a control and store its outcome, which ``show_outcome`` shows at ``place``."""
    deleting = isinstance(control, DeleteHistory)
    seconds = DELETE_TIMEOUT_SECONDS if deleting else DEADLINE_SECONDS
    try:
        code, _ = send_control(page.analyzer, page.token, control, deadline_seconds=seconds)
        st.session_state["session_outcome"] = (place, outcome_key(code))
        if deleting:
            # A selected segment would keep the page from showing the next session.
            st.session_state.pop("session_segment", None)
    except AnalyzerError as error:
        st.session_state["session_outcome"] = (place, error)
    st.session_state.pop("session_record", None)
    st.session_state["session_deleting"] = False


def show_outcome(place: str, translator: Translator) -> None:
    """Show the outcome of the last control at its place."""
    shown_at, result = st.session_state.get("session_outcome", ("", ""))
    if shown_at != place:
        return
    if isinstance(result, AnalyzerError):
        notify(result, translator)
        return
    st.success(translator(result))


def show_correction(
    page: PageContext, session: HistorySession, selected: int | None, zone: tzinfo | None
) -> None:
    """Show the selected segment with its correction."""
    translator = page.translator
    st.markdown(f"##### {translator('history.correct.heading')}")
    segment = next((each for each in session.segments if each.number == selected), None)
    if segment is None:
        st.caption(translator("history.correct.advice"))
        return
    with st.container():
        st.text(format_segment(segment, zone, translator, st.context.locale or ""))
        with st.container():
            if segment.correction is not None:
                genre = translator.genre(segment.correction)
                st.text(translator("history.correct.now", genre=genre))
        if segment.state == "SILENT":
            st.caption(translator("history.correct.silent"))
            st.button(translator("history.correct.close"), on_click=close_segment)
        else:
            show_genre_form(page, session.id, segment)
        with st.container():
            show_outcome("correct", translator)


def show_genre_form(page: PageContext, session: int, segment: HistorySegment) -> None:
    """Show the form that corrects a segment's genre or removes the correction."""
    translator, genres = page.translator, model_labels(page)

    def correction(genre: str | None) -> CorrectLabel:
        return CorrectLabel(id=new_control_id(), session=session, segment=segment.number, genre=genre)

    genre = st.selectbox(
        translator("history.correct.genre"),
        genres,
        index=genres.index(segment.correction) if segment.correction in genres else None,
        format_func=translator.genre,
        placeholder=translator("history.correct.pick"),
        key=f"genre {session} {segment.number}",
    )
    with st.container(horizontal=True):
        st.button(
            translator("history.correct.save"),
            type="primary",
            disabled=genre is None or genre == segment.correction,
            on_click=apply_control,
            args=(page, "correct", correction(genre)),
        )
        with st.container(width="content"):
            if segment.correction is not None:
                st.button(
                    translator("history.correct.undo"),
                    on_click=apply_control,
                    args=(page, "correct", correction(None)),
                )
        st.button(translator("history.correct.close"), on_click=close_segment)


def model_labels(page: PageContext) -> list[str]:
    """Return the genres of the analyzer's model."""
    hello = page.feed.snapshot.hello
    return list(GENRE_COLORS) if hello is None else hello.model.labels


def show_exports(page: PageContext, loaded: LoadedHistory) -> None:
    """Show downloads of the session and the command that exports corrections.

    It is not a fragment: redrawing a button cancels its download.
    """
    translator, zone = page.translator, browser_zone()
    st.markdown(f"##### {translator('history.export.heading')}")
    with st.container(horizontal=True):
        st.download_button(
            translator("history.export.csv"),
            lambda: export_csv(loaded.session, zone),
            format_file_name(loaded.session, zone, "csv"),
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            translator("history.export.json"),
            lambda: export_json(loaded.record),
            format_file_name(loaded.session, zone, "json"),
            "application/json",
            on_click="ignore",
        )
    counts = {"corrections": loaded.overview.corrections, "sounds": loaded.overview.sounds}
    st.text(translator("history.correct.count", **counts))
    if loaded.overview.corrections:
        st.caption(translator("history.correct.training"))
        st.code(EXPORT, language=None)


def show_deletion(page: PageContext, overview: HistoryOverview) -> None:
    """Show the deletion of the whole history, which takes two steps.

    Streamlit shows a replaced button until the end of the run, below its replacement, and a container starts
    with the content of the container that it replaces. The buttons would move under the pointer. Only a
    block of another kind replaces a block at once, so the first step stands in a column.
    """
    translator, state = page.translator, st.session_state
    st.text(f"{translator('history.kept')} {overview.path}")
    if not state.get("session_deleting"):
        (column,) = st.columns(1)
        column.button(
            translator("history.delete.start"), on_click=state.__setitem__, args=("session_deleting", True)
        )
        return
    counts = {"corrections": overview.corrections, "sounds": overview.sounds}
    with st.container(), st.container():
        st.warning(translator("history.delete.ask", sessions=len(overview.sessions), **counts))
        with st.container(horizontal=True):
            st.button(
                translator("history.delete.yes"),
                type="primary",
                on_click=apply_control,
                args=(page, "forget", DeleteHistory(id=new_control_id())),
            )
            st.button(
                translator("history.delete.no"), on_click=state.__setitem__, args=("session_deleting", False)
            )
