"""Files that a reader brings: what they are, why the model thinks so, and songs like them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components.genre_bands import show_genre_bands, show_probabilities
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.session import PageContext, is_muted, providers
from dashboard.uploads.analysis_job import MEBIBYTE, MOST_FILE_BYTES, SUFFIXES, AnalysisJob
from dashboard.viewmodels.file import bands, bands_data, clock_time, pictures, probability_rows
from dashboard.viewmodels.songs import links_of

MOST_FILES = 10
SONGS = 5
LEAST_FALL = 0.01
"""Below it no single part of a picture can be said to matter."""

UPLOADS = "uploads"
Analyses = dict[str, AnalysisJob]


def show(page: PageContext) -> None:
    """Lay the page out."""
    words = page.words
    st.subheader(words("common.page.file"), anchor=False)
    most = MOST_FILE_BYTES // MEBIBYTE
    st.caption(words("file.what", files=MOST_FILES))
    uploads = st.file_uploader(
        words("file.choose"), type=list(SUFFIXES), accept_multiple_files=True, max_upload_size=most,
        key=UPLOADS, on_change=follow_uploads,
    )  # fmt: skip
    st.session_state["listed"] = {upload.file_id for upload in uploads}
    if len(uploads) > MOST_FILES:
        st.warning(words("file.too_many", files=MOST_FILES))
    results(page)


def follow_uploads() -> None:
    """Begin with what the reader has added and end what was taken away.

    Called at a change only: a visit elsewhere empties Streamlit's list of uploads, and what was found in
    them stays on the page.
    """
    analyses = analyses_of_reader()
    uploads = st.session_state[UPLOADS][:MOST_FILES]
    for gone in st.session_state["listed"] - {upload.file_id for upload in uploads}:
        if gone in analyses:
            analyses.pop(gone).cancel()
    for upload in uploads:
        if upload.file_id not in analyses:
            analyses[upload.file_id] = AnalysisJob(upload.name)
            analyses[upload.file_id].start(upload)
    while len(analyses) > MOST_FILES:
        analyses.pop(next(iter(analyses))).cancel()


def analyses_of_reader() -> Analyses:
    """Files of this reader by Streamlit's name for each, in the order they came in."""
    analyses: Analyses = st.session_state.setdefault("analyses", {})
    return analyses


def results(page: PageContext) -> None:
    """One box a file, the latest first.

    Those that are done stand still: their pictures cost more than waiting for others.
    """
    analyses = analyses_of_reader()
    for identity, analysis in reversed(list(analyses.items())):
        with st.container(border=True, key=f"file-{identity}"):
            if analysis.done:
                box(page, identity, analysis)
            else:
                awaited(page, identity, analysis)
            if identity not in st.session_state["listed"]:  # there the list of uploads has a button for it
                st.button(
                    page.words("file.remove"), key=f"remove-{identity}", on_click=remove, args=(identity,)
                )


def remove(identity: str) -> None:
    """The reader wants one of them no more."""
    analyses_of_reader().pop(identity).cancel()


@st.fragment(run_every=1.0)
def awaited(page: PageContext, identity: str, analysis: AnalysisJob) -> None:
    """One on its way."""
    if analysis.done:
        st.rerun()  # ends the looking
    analysis.look()
    box(page, identity, analysis)


def box(page: PageContext, identity: str, analysis: AnalysisJob) -> None:
    """What is known of one file."""
    words = page.words
    st.text(analysis.name)
    if analysis.fault:
        st.error(words(f"file.fault.{analysis.fault}", most=MOST_FILE_BYTES // MEBIBYTE))
        if analysis.detail:
            st.text(analysis.detail)
    elif analysis.summary is None:
        heard = clock_time(analysis.heard_seconds)
        doing = "explaining" if analysis.explaining else "heard" if analysis.running else "waiting"
        st.text(words(f"file.{doing}", time=heard))
        if analysis.estimates:
            timeline(identity, analysis, words)
        else:
            st.progress(0)
    else:
        verdict(identity, analysis.summary, words)
        timeline(identity, analysis, words)
        evidence(analysis, words)
        songs(analysis, words)


def verdict(identity: str, summary: Any, words: Translator) -> None:
    """The genre of the whole file, its tempo, and the runners-up."""
    label = summary["label"]
    if label is None:
        st.subheader(words("file.no_music"), anchor=False)
        return
    genre = words.genre(label)
    said = words("file.guess", genre=genre) if summary["unsure"] else genre
    st.subheader(f"{said}, {summary['confidence']:.0%}", anchor=False)
    tempo = summary.get("beats_per_minute")
    facts = [words("file.length", time=clock_time(summary["seconds"]))]
    facts += [words("file.tempo", tempo=round(tempo))] if tempo else []
    st.caption(". ".join(facts))
    show_probabilities(probability_rows(summary["probabilities"], words), identity)


def timeline(identity: str, analysis: AnalysisJob, words: Translator) -> None:
    """Genre over time."""
    st.caption(words("file.timeline"))
    show_genre_bands(bands_data(bands(analysis.estimates), analysis.heard_seconds, words), identity)


def evidence(analysis: AnalysisJob, words: Translator) -> None:
    """The picture that the model saw, and what of it mattered."""
    if analysis.picture is None:
        return
    message = analysis.picture
    seen, mattered, fall = pictures(message)
    with st.expander(words("file.evidence")):
        left, right = st.columns(2)
        left.image(seen, width="stretch")
        times = {"start": clock_time(message["start_seconds"]), "end": clock_time(message["end_seconds"])}
        left.caption(words("file.seen", **times))
        if fall < LEAST_FALL:
            right.text(words("file.nothing_mattered"))
            return
        right.image(mattered, width="stretch")
        cost = {"fall": f"{fall * 100:.0f}", "probability": f"{message['probability']:.0%}"}
        right.caption(words("file.mattered", genre=words.genre(message["label"]), **cost))


def songs(analysis: AnalysisJob, words: Translator) -> None:
    """Songs of the same genre; none are asked for while recommendations are muted."""
    label = (analysis.summary or {}).get("label")
    if label is None or is_muted():
        return
    with st.expander(words("file.songs")):
        for track in songs_of(label):
            with st.container(horizontal=True, horizontal_alignment="distribute"):
                st.text(f"{', '.join(track.artists)}: {track.title}")
                with st.container(horizontal=True, width="content"):
                    for name, address in links_of(track).items():
                        st.link_button(name, address)


@st.cache_data(ttl=600, show_spinner=False)
def songs_of(genre: str) -> list[Track]:
    """For a few minutes: the terms of the services allow no more, and a reader who looks again no less."""
    return list(providers().search_relaxed(TrackQuery(genre)).tracks[:SONGS])
