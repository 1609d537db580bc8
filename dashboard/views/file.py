"""Files that a reader brings: what they are, why the model thinks so, and songs like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.file_analysis import MEBIBYTE, MOST_FILE_BYTES, SUFFIXES, FileAnalysis
from dashboard.file_view import bands, bands_markup, clock_time, pictures
from dashboard.reader import Page, is_muted, providers
from dashboard.recommendations.tracks import Track, TrackQuery
from dashboard.song_view import links_of
from dashboard.texts import Words
from dashboard.view_state import GENRE_COLOURS

MOST_FILES = 10
SONGS = 5
LEAST_FALL = 0.01
"""Below it no single part of a picture can be said to matter."""

Analyses = dict[str, FileAnalysis]


def show(page: Page) -> None:
    """Lay the page out."""
    words = page.words
    st.subheader(words("common.page.file"), anchor=False)
    most = MOST_FILE_BYTES // MEBIBYTE
    st.caption(words("file.what", most=most, files=MOST_FILES))
    uploads = st.file_uploader(
        words("file.choose"), type=list(SUFFIXES), accept_multiple_files=True, max_upload_size=most
    )
    analyses: Analyses = st.session_state.setdefault("analyses", {})
    chosen = {upload.file_id: upload for upload in uploads[:MOST_FILES]}
    for gone in analyses.keys() - chosen.keys():
        analyses.pop(gone).cancel()
    for identity, upload in chosen.items():
        if identity not in analyses:
            analyses[identity] = FileAnalysis(upload.name)
            analyses[identity].start(upload)
    if len(uploads) > MOST_FILES:
        st.warning(words("file.too_many", files=MOST_FILES))
    results(page, list(analyses.values()))


def results(page: Page, analyses: Sequence[FileAnalysis]) -> None:
    """One box a file. Those that are done stand still: their pictures cost more than waiting for others."""
    for number, analysis in enumerate(analyses):
        with st.container(border=True, key=f"file-{number}"):
            if analysis.done:
                box(page, analysis)
            else:
                awaited(page, analysis)


@st.fragment(run_every=1.0)
def awaited(page: Page, analysis: FileAnalysis) -> None:
    """One on its way."""
    if analysis.done:
        st.rerun()  # ends the looking
    analysis.look()
    box(page, analysis)


def box(page: Page, analysis: FileAnalysis) -> None:
    """What is known of one file."""
    words = page.words
    st.text(analysis.name)
    if analysis.fault:
        st.error(words(f"file.fault.{analysis.fault}", most=MOST_FILE_BYTES // MEBIBYTE))
        if analysis.detail:
            st.text(analysis.detail)
    elif analysis.summary is None:
        waiting = not analysis.running
        heard = clock_time(analysis.heard_seconds)
        st.text(words("file.waiting") if waiting else words("file.heard", time=heard))
        if analysis.estimates:
            timeline(analysis, words)
        else:
            st.progress(0)
    else:
        verdict(analysis.summary, words)
        timeline(analysis, words)
        evidence(analysis, words)
        songs(analysis, words)


def verdict(summary: Any, words: Words) -> None:
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
    ranked = sorted(summary["probabilities"].items(), key=lambda item: -item[1])[:4]
    bars = "".join(
        f'<tr><td style="padding-right:1rem">{words.genre(name)}</td><td style="width:100%">'
        f'<div style="height:.8rem;border-radius:.3rem;width:{share:.1%};background:{GENRE_COLOURS[name]}">'
        f'</div></td><td style="padding-left:1rem">{share:.0%}</td></tr>'
        for name, share in ranked
        if name in GENRE_COLOURS
    )
    st.html(f'<table style="width:100%;max-width:32rem;border-collapse:collapse">{bars}</table>')


def timeline(analysis: FileAnalysis, words: Words) -> None:
    """Genre over time."""
    st.caption(words("file.timeline"))
    st.html(bands_markup(bands(analysis.estimates), analysis.heard_seconds, words))
    st.caption(f"0:00 \N{EN DASH} {clock_time(analysis.heard_seconds)}")


def evidence(analysis: FileAnalysis, words: Words) -> None:
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


def songs(analysis: FileAnalysis, words: Words) -> None:
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
    return list(providers().search_widening(TrackQuery(genre)).tracks[:SONGS])
