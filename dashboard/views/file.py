"""File page: genres of uploaded files, the explanation, and songs of the same genre."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from dashboard.components.genre_bands import show_genre_bands, show_probabilities
from dashboard.i18n.translator import Translator
from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.session import PageContext, is_muted, providers
from dashboard.uploads.analysis_job import MAX_FILE_BYTES, MEBIBYTE, SUFFIXES, AnalysisJob
from dashboard.viewmodels.file import (
    bands_data,
    clock_time,
    explanation_images,
    merge_bands,
    probability_rows,
)
from dashboard.viewmodels.songs import song_links
from dashboard.viewmodels.tags import describe_tags

MAX_FILES = 10
"""Files that one browser tab may analyze at a time."""
MAX_SONGS = 5
"""Songs of the same genre that are shown for a file."""
MIN_PROBABILITY_DROP = 0.01
"""Fall of the probability below which no part of the spectrogram counts as important."""

UPLOADER = "uploads"
"""Key of the upload widget in ``st.session_state``."""


def show(page: PageContext) -> None:
    """Show the page."""
    translator = page.translator
    st.subheader(translator("common.page.file"), anchor=False)
    max_mebibytes = MAX_FILE_BYTES // MEBIBYTE
    st.caption(translator("file.note", files=MAX_FILES))
    uploads = st.file_uploader(
        translator("file.choose"), type=list(SUFFIXES), accept_multiple_files=True,
        max_upload_size=max_mebibytes, key=UPLOADER, on_change=update_analyses,
    )  # fmt: skip
    st.session_state["listed_upload_ids"] = {upload.file_id for upload in uploads}
    with st.container():  # its place is kept, so that the boxes stay in theirs
        if len(uploads) > MAX_FILES:
            st.warning(translator("file.too_many", files=MAX_FILES))
    show_results(page)


def update_analyses() -> None:
    """Start the analysis of added files, and cancel the analysis of removed files.

    Streamlit calls this only when the user adds or removes a file. A visit to another page also empties the
    list of uploads, but the results stay.
    """
    analyses = session_analyses()
    uploads = st.session_state[UPLOADER][:MAX_FILES]
    for removed in st.session_state["listed_upload_ids"] - {upload.file_id for upload in uploads}:
        if removed in analyses:
            analyses.pop(removed).cancel()
    for upload in uploads:
        if upload.file_id not in analyses:
            analyses[upload.file_id] = AnalysisJob(upload.name)
            analyses[upload.file_id].start(upload)
            release_bytes(upload)
    while len(analyses) > MAX_FILES:
        analyses.pop(next(iter(analyses))).cancel()


def release_bytes(upload: UploadedFile) -> None:
    """Give back the memory of an uploaded file, whose content the analysis has copied.

    Streamlit keeps the bytes until the session ends, which is minutes after its tab was closed, and has no
    public function for this. The file stays in the list of uploads.
    """
    upload.truncate(0)
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        empty = UploadedFileRec(upload.file_id, upload.name, upload.type, b"")
        context.uploaded_file_mgr.add_file(context.session_id, empty)


def session_analyses() -> dict[str, AnalysisJob]:
    """Return the analyses of this browser tab by Streamlit's upload id, the oldest first."""
    analyses: dict[str, AnalysisJob] = st.session_state.setdefault("analyses", {})
    return analyses


def show_results(page: PageContext) -> None:
    """Show a box for each file, the latest first.

    Only boxes of running analyses are refreshed, since the images of finished boxes cost much time.
    """
    analyses = session_analyses()
    for upload_id, analysis in reversed(list(analyses.items())):
        with st.container(border=True, key=f"file-{upload_id}"):
            if analysis.done:
                with st.container():  # takes the place of the fragment, so that the button stays in its own
                    show_file(page, upload_id, analysis)
            else:
                show_running(page, upload_id, analysis)
            # Listed files have a button in the uploader.
            if upload_id not in st.session_state["listed_upload_ids"]:
                st.button(
                    page.translator("file.remove"),
                    key=f"remove-{upload_id}",
                    on_click=remove,
                    args=(upload_id,),
                )


def remove(upload_id: str) -> None:
    """Remove one file. A second click on its button, before the button is gone, does nothing."""
    if (analysis := session_analyses().pop(upload_id, None)) is not None:
        analysis.cancel()


@st.fragment(run_every=1.0)
def show_running(page: PageContext, upload_id: str, analysis: AnalysisJob) -> None:
    """Show a file under analysis."""
    if analysis.done:
        st.rerun()  # ends the refreshing of this box
    analysis.mark_seen()
    show_file(page, upload_id, analysis)


def show_file(page: PageContext, upload_id: str, analysis: AnalysisJob) -> None:
    """Show the current results of one file."""
    translator = page.translator
    st.text(analysis.name)
    if analysis.fault:
        st.error(translator(f"file.fault.{analysis.fault}", limit=MAX_FILE_BYTES // MEBIBYTE))
        if analysis.detail:
            st.text(analysis.detail)
    elif analysis.summary is None:
        analyzed = clock_time(analysis.analyzed_seconds)
        activity = "explaining" if analysis.explaining else "analyzed" if analysis.running else "waiting"
        st.text(translator(f"file.{activity}", time=analyzed))
        if analysis.estimates:
            show_timeline(upload_id, analysis, translator)
        else:
            st.progress(0)
    else:
        show_prediction(upload_id, analysis.summary, translator)
        show_timeline(upload_id, analysis, translator)
        show_explanation(analysis, translator)
        show_songs(analysis, translator)


def show_prediction(upload_id: str, summary: Any, translator: Translator) -> None:
    """Show the genre of the whole file, its length, tempo, and the other probable genres."""
    label = summary["label"]
    if label is None:
        st.subheader(translator("file.no_music"), anchor=False)
        return
    genre = translator.genre(label)
    headline = translator("file.guess", genre=genre) if summary["unsure"] else genre
    st.subheader(f"{headline}, {summary['confidence']:.0%}", anchor=False)
    tempo = summary.get("beats_per_minute")
    facts = [translator("file.length", time=clock_time(summary["seconds"]))]
    facts += [translator("file.tempo", tempo=round(tempo))] if tempo else []
    st.caption(". ".join(facts))
    if words := describe_tags(summary["tags"], translator):
        st.text(words)
    show_probabilities(probability_rows(summary["probabilities"], translator), upload_id)


def show_timeline(upload_id: str, analysis: AnalysisJob, translator: Translator) -> None:
    """Show the genre over time."""
    st.caption(translator("file.timeline"))
    show_genre_bands(
        bands_data(merge_bands(analysis.estimates), analysis.analyzed_seconds, translator), upload_id
    )


def show_explanation(analysis: AnalysisJob, translator: Translator) -> None:
    """Show the spectrogram that the model analyzed, and its important parts."""
    if analysis.explanation is None:
        return
    message = analysis.explanation
    spectrogram, important, fall = explanation_images(message)
    with st.expander(translator("file.evidence")):
        left, right = st.columns(2)
        left.image(spectrogram, width="stretch")
        times = {"start": clock_time(message["start_seconds"]), "end": clock_time(message["end_seconds"])}
        left.caption(translator("file.seen", **times))
        if fall < MIN_PROBABILITY_DROP:
            right.text(translator("file.nothing_mattered"))
            return
        right.image(important, width="stretch")
        cost = {"fall": f"{fall * 100:.0f}", "probability": f"{message['probability']:.0%}"}
        right.caption(translator("file.mattered", genre=translator.genre(message["label"]), **cost))


def show_songs(analysis: AnalysisJob, translator: Translator) -> None:
    """Show songs of the same genre, except while recommendations are muted."""
    label = (analysis.summary or {}).get("label")
    if label is None or is_muted():
        return
    with st.expander(translator("file.songs")):
        for track in find_songs(label):
            with st.container(horizontal=True, horizontal_alignment="distribute"):
                st.text(f"{', '.join(track.artists)}: {track.title}")
                with st.container(horizontal=True, width="content"):
                    for name, address in song_links(track).items():
                        st.link_button(name, address)


@st.cache_data(ttl=600, show_spinner=False)
def find_songs(genre: str) -> list[Track]:
    """Search songs of a genre. Results are kept for ten minutes, as the terms of the services allow."""
    return list(providers().search(TrackQuery(genre)).tracks[:MAX_SONGS])
