"""History page: recorded sessions of the analyzer, with corrections, export and deletion.

Keys in ``st.session_state``:

- ``loaded_history``: the history that the page shows, a ``LoadedHistory``.
- ``history_layout``: values on which the parts outside of the refreshed fragment depend.
- ``newest_session_id``, ``selected_session_id``: ids of the newest session and of the session that is shown.
- ``follows_newest_session``: False after the user has selected an older session.
- ``session_selectbox``: id that the widget shows.
- ``selected_segment``: id of the session and number of the segment that the user corrects.
- ``cached_session``: stamp, document and parsed form of the session that was loaded last.
- ``control_outcome``: place and outcome of the last control, a catalog key or an ``AnalyzerError``.
- ``confirms_deletion``: True while the page asks for a confirmation of the deletion.
"""

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
from dashboard.session import PageContext, recommendation_service
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
"""Seconds between refreshes. The analyzer writes its history at the same interval."""
DELETE_TIMEOUT_SECONDS = 20.0
"""Deadline in seconds for the deletion of the history, which takes longer than other controls."""
EXPORT_COMMAND = "overheard history --export-corrections FOLDER"


@dataclass(slots=True)
class LoadedHistory:
    """History that the page loaded last. Exports are created from it on request.

    Attributes
    ----------
    overview : HistoryOverview
        Sessions and counts of the whole history.
    record : dict
        Document of the session as the analyzer sent it.
    session : HistorySession
        Parsed form of ``record``.
    """

    overview: HistoryOverview
    record: dict[str, Any]
    session: HistorySession


def show(page: PageContext) -> None:
    """Show the page."""
    state = st.session_state
    st.subheader(page.translator("common.page.session"), anchor=False)
    state.pop("history_layout", None)
    show_history(page)
    loaded: LoadedHistory | None = state.get("loaded_history")
    state["history_layout"] = layout_state(loaded)
    if loaded is not None:
        st.divider()
        show_exports(page, loaded)
        show_deletion(page, loaded.overview)
    show_shown_songs(page.translator)


def layout_state(loaded: LoadedHistory | None) -> object:
    """Return the values on which the parts outside of the refreshed fragment depend."""
    if loaded is None:
        return None
    overview = loaded.overview
    return loaded.session.id, overview.corrections, overview.sounds


@st.fragment(run_every=REFRESH_SECONDS)
def show_history(page: PageContext) -> None:
    """Show the session and refresh it while the page is open.

    The whole page is rerun if the parts outside of this fragment are outdated.
    """
    load_and_show(page)
    now = layout_state(st.session_state.get("loaded_history"))
    if st.session_state.get("history_layout", now) != now:
        st.rerun()


def load_and_show(page: PageContext) -> None:
    """Load the history and show a session, or show the error."""
    translator, zone, state = page.translator, browser_zone(), st.session_state
    with st.container():  # its place is kept, so that nothing after it moves
        show_outcome("deletion", translator)
    try:
        overview = parse_overview(fetch_json(page.analyzer, page.token, "/history"))
        if overview.path is None or not overview.sessions:
            st.info(translator("history.fault.off" if overview.path is None else "history.none"))
            state.pop("loaded_history", None)
            return
        number = select_session(overview, zone, translator)
        record, session = load_session(page, overview, number)
        store_loaded(overview, record, session)
    except AnalyzerError as error:
        show_error(error, translator)
        return
    except ValueError as error:
        show_error(AnalyzerError(Fault.BROKEN, str(error)), translator)
        return
    selection = st.session_state.get("selected_segment")
    selected = selection[1] if selection is not None and selection[0] == number else None
    show_timeline(timeline_data(session, selected, translator), store_selected_segment)
    correction, shares = st.columns([2, 3], gap="large")
    with correction, st.container(border=True):
        show_correction(page, session, selected, zone)
    with shares:
        show_shares(share_rows(session.segments, translator), translator("history.shares"))


def store_loaded(overview: HistoryOverview, record: dict[str, Any], session: HistorySession) -> None:
    """Store the loaded history for the rest of the page.

    The object is updated and not replaced, since the download buttons of the last run hold a reference to it.
    """
    loaded: LoadedHistory = st.session_state.setdefault(
        "loaded_history", LoadedHistory(overview, record, session)
    )
    loaded.overview, loaded.record, loaded.session = overview, record, session


def browser_zone() -> tzinfo | None:
    """Return the time zone of the browser, or None (the zone of the server) if it is unknown."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def select_session(overview: HistoryOverview, zone: tzinfo | None, translator: Translator) -> int:
    """Show the list of sessions, and return the id of the session to show.

    The newest session is shown unless the user selected an older one or corrects a segment.
    """
    state = st.session_state
    known = {each.id: each for each in overview.sessions}
    state["newest_session_id"] = newest = overview.sessions[0].id
    follows = state.get("follows_newest_session", True) and "selected_segment" not in state
    if follows or state.get("selected_session_id") not in known:
        state["selected_session_id"] = newest
    state["session_selectbox"] = state["selected_session_id"]
    st.selectbox(
        translator("history.choose"),
        list(known),
        format_func=lambda each: format_session(known[each], zone, translator, st.context.locale or ""),
        key="session_selectbox",
        on_change=store_selected_session,
    )
    return int(state["selected_session_id"])


def store_selected_session() -> None:
    """Store the session that the user selected.

    Streamlit identifies options by their texts. When a text changes, as at the end of a session or with the
    language, Streamlit calls this with the old text although the user selected nothing.
    """
    state = st.session_state
    shown = state["session_selectbox"]
    if isinstance(shown, int) and shown != state["selected_session_id"]:
        state["selected_session_id"] = shown
        state["follows_newest_session"] = shown == state["newest_session_id"]
        close_segment()


def store_selected_segment() -> None:
    """Store the segment that the user selected on the timeline or in its list."""
    if (selected := selected_segment()) is not None:
        st.session_state["selected_segment"] = selected
        st.session_state.pop("control_outcome", None)


def close_segment() -> None:
    """Close the selected segment."""
    st.session_state.pop("selected_segment", None)
    st.session_state.pop("control_outcome", None)


def load_session(
    page: PageContext, overview: HistoryOverview, number: int
) -> tuple[dict[str, Any], HistorySession]:
    """Return the document of a session and its parsed form. A session that has ended is loaded only once."""
    summary = next(each for each in overview.sessions if each.id == number)
    stamp = (number, summary.started, summary.until, overview.corrections)
    cached = st.session_state.get("cached_session")
    if cached is not None and cached[0] == stamp and not summary.running:
        return cached[1], cached[2]
    record = fetch_json(page.analyzer, page.token, f"/history/{number}")
    session = parse_session(record)
    st.session_state["cached_session"] = (stamp, record, session)
    return record, session


def show_error(error: AnalyzerError, translator: Translator) -> None:
    """Show an error with its remedy and with the message of the analyzer, if there is a message."""
    st.warning(translator(f"history.fault.{error.fault}", seconds=f"{DEADLINE_SECONDS:g}"))
    if error.detail:
        st.text(f"{translator('history.analyzer_message')} {error.detail}")


def apply_control(page: PageContext, place: str, control: HistoryControl) -> None:
    """Send a control and store its outcome. ``show_outcome`` shows the outcome at ``place``."""
    deleting = isinstance(control, DeleteHistory)
    seconds = DELETE_TIMEOUT_SECONDS if deleting else DEADLINE_SECONDS
    try:
        code, _ = send_control(page.analyzer, page.token, control, deadline_seconds=seconds)
        st.session_state["control_outcome"] = (place, outcome_key(code))
        if deleting:
            # A selected segment would keep the page from showing the next session.
            st.session_state.pop("selected_segment", None)
    except AnalyzerError as error:
        st.session_state["control_outcome"] = (place, error)
    st.session_state.pop("cached_session", None)
    st.session_state["confirms_deletion"] = False


def show_outcome(place: str, translator: Translator) -> None:
    """Show the outcome of the last control if it belongs to ``place``."""
    outcome_place, result = st.session_state.get("control_outcome", ("", ""))
    if outcome_place != place:
        return
    if isinstance(result, AnalyzerError):
        show_error(result, translator)
        return
    st.success(translator(result))


def show_correction(
    page: PageContext, session: HistorySession, selected: int | None, zone: tzinfo | None
) -> None:
    """Show the selected segment, and the form that corrects it."""
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
            show_correction_form(page, session.id, segment)
        with st.container():
            show_outcome("correction", translator)


def show_correction_form(page: PageContext, session: int, segment: HistorySegment) -> None:
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
            args=(page, "correction", correction(genre)),
        )
        with st.container(width="content"):
            if segment.correction is not None:
                st.button(
                    translator("history.correct.undo"),
                    on_click=apply_control,
                    args=(page, "correction", correction(None)),
                )
        st.button(translator("history.correct.close"), on_click=close_segment)


def model_labels(page: PageContext) -> list[str]:
    """Return the genres of the analyzer's model, or the known genres while the analyzer is unreachable."""
    hello = page.feed.snapshot.hello
    return list(GENRE_COLORS) if hello is None else hello.model.labels


def show_exports(page: PageContext, loaded: LoadedHistory) -> None:
    """Show downloads of the session and the command that exports corrections.

    It is outside of the refreshed fragment, since redrawing a button cancels its download.
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
        st.code(EXPORT_COMMAND, language=None)


def show_deletion(page: PageContext, overview: HistoryOverview) -> None:
    """Show the deletion of the whole history, which takes two steps.

    Streamlit shows a replaced button until the end of the run, below its replacement, and a container starts
    with the content of the container that it replaces. The buttons would move under the pointer. Only a
    block of another kind replaces a block at once, so the first step stands in a column.
    """
    translator, state = page.translator, st.session_state
    st.text(f"{translator('history.kept')} {overview.path}")
    if not state.get("confirms_deletion"):
        (column,) = st.columns(1)
        column.button(
            translator("history.delete.start"), on_click=state.__setitem__, args=("confirms_deletion", True)
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
                args=(page, "deletion", DeleteHistory(id=new_control_id())),
            )
            st.button(
                translator("history.delete.no"), on_click=state.__setitem__, args=("confirms_deletion", False)
            )


def show_shown_songs(translator: Translator) -> None:
    """Show where the songs of the recommendations are remembered, and a button that forgets them."""
    shown = recommendation_service().rolling_playlist.shown
    if shown.path is None:
        return
    st.text(f"{translator('history.shown_songs.why')} {shown.path}")
    st.button(translator("history.shown_songs.delete"), disabled=not len(shown), on_click=shown.delete_all)
