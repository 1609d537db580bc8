"""What was heard, this evening and before: from the analyzer's history, which also takes corrections."""

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
    get,
    new_control_id,
    send_control,
)
from dashboard.components.timeline import selected_segment, show_shares, show_timeline
from dashboard.i18n.translator import Translator
from dashboard.session import PageContext
from dashboard.viewmodels.history import (
    outcome_key,
    parse_overview,
    parse_session,
    segment_line,
    session_line,
    share_rows,
    timeline_data,
)
from dashboard.viewmodels.history_export import as_csv, as_json, file_name
from dashboard.viewmodels.theme import GENRE_COLORS
from realtime.protocol.history import HistoryOverview, HistorySegment, HistorySession
from realtime.protocol.requests import CorrectLabel, DeleteHistory, HistoryControl

REFRESH_SECONDS = 5.0
"""As often as the analyzer writes its history down."""
FORGETTING_SECONDS = 20.0
EXPORT = "overheard history --export-corrections FOLDER"


@dataclass(slots=True)
class Seen:
    """What the page saw last of the history; files are made of it at the moment when a reader asks."""

    overview: HistoryOverview
    record: dict[str, Any]
    session: HistorySession


def show(page: PageContext) -> None:
    """Lay the page out."""
    state = st.session_state
    st.subheader(page.words("common.page.session"), anchor=False)
    state.pop("session_laid_out", None)
    history(page)
    seen: Seen | None = state.get("session_seen")
    state["session_laid_out"] = layout(seen)
    if seen is not None:
        st.divider()
        take_along(page, seen)
        delete(page, seen.overview)


def layout(seen: Seen | None) -> object:
    """What the parts of the page that look at nothing by themselves are made of."""
    if seen is None:
        return None
    overview = seen.overview
    return seen.session.id, overview.corrections, overview.sounds


@st.fragment(run_every=REFRESH_SECONDS)
def history(page: PageContext) -> None:
    """What was heard; looked at again while the page is open."""
    refresh(page)
    now = layout(st.session_state.get("session_seen"))
    if st.session_state.get("session_laid_out", now) != now:
        st.rerun()


def refresh(page: PageContext) -> None:
    """Read the history and show it, or say why not."""
    words, zone, state = page.words, reader_zone(), st.session_state
    outcome("forget", words)
    try:
        overview = parse_overview(get(page.analyzer, page.token, "/history"))
        if overview.path is None or not overview.sessions:
            st.info(words("history.fault.off" if overview.path is None else "history.none"))
            state.pop("session_seen", None)
            return
        number = choose(overview, zone, words)
        record, session = load(page, overview, number)
        remember(overview, record, session)
    except AnalyzerError as error:
        notify(error, words)
        return
    except ValueError as error:
        notify(AnalyzerError(Fault.BROKEN, str(error)), words)
        return
    at = st.session_state.get("session_segment")
    chosen = at[1] if at is not None and at[0] == number else None
    show_timeline(timeline_data(session, chosen, words), choose_segment)
    correction, shares = st.columns([2, 3], gap="large")
    with correction, st.container(border=True):
        submit_correction(page, session, chosen, zone)
    with shares:
        show_shares(share_rows(session.segments, words), words("history.shares"))


def remember(overview: HistoryOverview, record: dict[str, Any], session: HistorySession) -> None:
    """For the rest of the page, whose buttons hold the one value that is changed here."""
    seen: Seen = st.session_state.setdefault("session_seen", Seen(overview, record, session))
    seen.overview, seen.record, seen.session = overview, record, session


def reader_zone() -> tzinfo | None:
    """The time zone of the reader's browser; None, this machine's, where it is unknown."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def choose(overview: HistoryOverview, zone: tzinfo | None, words: Translator) -> int:
    """The session to show: the newest, until the reader chooses another one or is at correcting."""
    state = st.session_state
    known = {each.id: each for each in overview.sessions}
    state["session_newest"] = newest = overview.sessions[0].id
    following = state.get("session_follows", True) and "session_segment" not in state
    if following or state.get("session_number") not in known:
        state["session_number"] = newest
    state["session_shown"] = state["session_number"]
    st.selectbox(
        words("history.choose"),
        list(known),
        format_func=lambda each: session_line(known[each], zone, words, st.context.locale or ""),
        key="session_shown",
        on_change=choose_session,
    )
    return int(state["session_number"])


def choose_session() -> None:
    """The reader chose a session: another than the newest stays.

    Streamlit knows options by their texts. When one changes, as a session's does with its end or with
    the language, this is called with the old text, and nobody has chosen anything.
    """
    state = st.session_state
    shown = state["session_shown"]
    if isinstance(shown, int) and shown != state["session_number"]:
        state["session_number"] = shown
        state["session_follows"] = shown == state["session_newest"]
        close_segment()


def choose_segment() -> None:
    """The reader chose a segment on the timeline or in its list."""
    if (chosen := selected_segment()) is not None:
        st.session_state["session_segment"] = chosen
        st.session_state.pop("session_said", None)


def close_segment() -> None:
    """The reader is done with a segment."""
    st.session_state.pop("session_segment", None)
    st.session_state.pop("session_said", None)


def load(page: PageContext, overview: HistoryOverview, number: int) -> tuple[dict[str, Any], HistorySession]:
    """One session, as it came and as values; one that is over and was read before is not read again."""
    summary = next(each for each in overview.sessions if each.id == number)
    stamp = (number, summary.started, summary.until, overview.corrections)
    kept = st.session_state.get("session_record")
    if kept is not None and kept[0] == stamp and not summary.running:
        return kept[1], kept[2]
    record = get(page.analyzer, page.token, f"/history/{number}")
    session = parse_session(record)
    st.session_state["session_record"] = (stamp, record, session)
    return record, session


def notify(error: AnalyzerError, words: Translator) -> None:
    """What went wrong and what to do, with the analyzer's own sentence where it has one."""
    st.warning(words(f"history.fault.{error.fault}", seconds=f"{DEADLINE_SECONDS:g}"))
    if error.said:
        st.text(f"{words('history.said')} {error.said}")


def act(page: PageContext, place: str, control: HistoryControl) -> None:
    """Send a control and note its outcome, for ``outcome`` to tell at ``place``."""
    deleting = isinstance(control, DeleteHistory)
    seconds = FORGETTING_SECONDS if deleting else DEADLINE_SECONDS
    try:
        code, _ = send_control(page.analyzer, page.token, control, deadline_seconds=seconds)
        st.session_state["session_said"] = (place, outcome_key(code))
        if deleting:
            st.session_state.pop("session_segment", None)  # it would keep the page from following
    except AnalyzerError as error:
        st.session_state["session_said"] = (place, error)
    st.session_state.pop("session_record", None)
    st.session_state["session_deleting"] = False


def outcome(place: str, words: Translator) -> None:
    """Tell how the last control fared, where it belongs."""
    where, what = st.session_state.get("session_said", ("", ""))
    if where != place:
        return
    if isinstance(what, AnalyzerError):
        notify(what, words)
        return
    st.success(words(what))


def submit_correction(
    page: PageContext, session: HistorySession, chosen: int | None, zone: tzinfo | None
) -> None:
    """The chosen segment, and what it really was."""
    words = page.words
    st.markdown(f"##### {words('history.correct.heading')}")
    segment = next((each for each in session.segments if each.number == chosen), None)
    if segment is None:
        st.caption(words("history.correct.advice"))
        return
    st.text(segment_line(segment, zone, words, st.context.locale or ""))
    if segment.correction is not None:
        genre = words.genre(segment.correction)
        st.text(words("history.correct.now", genre=genre))
    if segment.state == "SILENT":
        st.caption(words("history.correct.silent"))
        st.button(words("history.correct.close"), on_click=close_segment)
    else:
        say_genre(page, session.id, segment)
    outcome("correct", words)


def say_genre(page: PageContext, session: int, segment: HistorySegment) -> None:
    """Choose the right genre and send it, or take it back."""
    words, genres = page.words, labels(page)

    def correction(genre: str | None) -> CorrectLabel:
        return CorrectLabel(id=new_control_id(), session=session, segment=segment.number, genre=genre)

    genre = st.selectbox(
        words("history.correct.genre"),
        genres,
        index=genres.index(segment.correction) if segment.correction in genres else None,
        format_func=words.genre,
        placeholder=words("history.correct.pick"),
        key=f"genre {session} {segment.number}",
    )
    with st.container(horizontal=True):
        st.button(
            words("history.correct.save"),
            type="primary",
            disabled=genre is None or genre == segment.correction,
            on_click=act,
            args=(page, "correct", correction(genre)),
        )
        if segment.correction is not None:
            st.button(
                words("history.correct.back"),
                on_click=act,
                args=(page, "correct", correction(None)),
            )
        st.button(words("history.correct.close"), on_click=close_segment)


def labels(page: PageContext) -> list[str]:
    """The genres that the analyzer's model knows."""
    hello = page.feed.snapshot.hello
    return list(GENRE_COLORS) if hello is None else hello.model.labels


def take_along(page: PageContext, seen: Seen) -> None:
    """The session as files, and how to get at the corrections.

    Every run that lays a button out anew makes it forget what is being downloaded; hence no fragment.
    """
    words, zone = page.words, reader_zone()
    st.markdown(f"##### {words('history.export.heading')}")
    with st.container(horizontal=True):
        st.download_button(
            words("history.export.csv"),
            lambda: as_csv(seen.session, zone),
            file_name(seen.session, zone, "csv"),
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            words("history.export.json"),
            lambda: as_json(seen.record),
            file_name(seen.session, zone, "json"),
            "application/json",
            on_click="ignore",
        )
    counts = {"corrections": seen.overview.corrections, "sounds": seen.overview.sounds}
    st.text(words("history.correct.count", **counts))
    if seen.overview.corrections:
        st.caption(words("history.correct.teach"))
        st.code(EXPORT, language=None)


def delete(page: PageContext, overview: HistoryOverview) -> None:
    """Everything, in two steps."""
    words, state = page.words, st.session_state
    st.text(f"{words('history.kept')} {overview.path}")
    if not state.get("session_deleting"):
        st.button(words("history.delete.start"), on_click=state.__setitem__, args=("session_deleting", True))
        return
    counts = {"corrections": overview.corrections, "sounds": overview.sounds}
    st.warning(words("history.delete.ask", sessions=len(overview.sessions), **counts))
    with st.container(horizontal=True):
        st.button(
            words("history.delete.yes"),
            type="primary",
            on_click=act,
            args=(page, "forget", DeleteHistory(id=new_control_id())),
        )
        st.button(words("history.delete.no"), on_click=state.__setitem__, args=("session_deleting", False))
