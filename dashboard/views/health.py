"""The model, its limits, and how the analyzer fares."""

from __future__ import annotations

import streamlit as st

from dashboard.analyzer.http import AnalyzerError, get
from dashboard.i18n.translator import Translator
from dashboard.session import PageContext
from dashboard.viewmodels.health import bug_report, card_parts, health_rows, limits, losses, versions

LINES = 60
"""Of the log that are shown; the report has all that the analyzer keeps."""


def show(page: PageContext) -> None:
    """Lay the page out."""
    words = page.words
    st.subheader(words("health.health"), anchor=False)
    health(page, page.feed.snapshot.connected)
    with st.expander(words("health.log")):
        log = log_of(page)
        if isinstance(log, str):
            st.text(log)
        else:
            st.code("\n".join(log[-LINES:]) or words("health.no_log"), language=None, wrap_lines=True)
    with st.expander(words("health.report")):
        st.caption(words("health.report_what"))
        report = bug_report(page.feed.snapshot, [] if isinstance(log, str) else log)
        with st.container(key="report"):
            st.code(report, language=None, wrap_lines=True)  # its button copies it
    st.subheader(words("health.card"), anchor=False)
    card(words)


@st.fragment(run_every=2.0)
def health(page: PageContext, connected: bool) -> None:
    """Readings of the moment; once ``connected`` is no longer true, log and report are laid out anew, too."""
    words, snapshot = page.words, page.feed.snapshot
    if snapshot.connected != connected:
        st.rerun()
    if not snapshot.connected:
        st.text(words("health.away"))
    elif snapshot.health is None:
        st.text(words("health.no_health"))
    else:
        with st.container(horizontal=True):
            for name, value in health_rows(snapshot.health, words).items():
                st.metric(name, value, width="content", border=True)
        lost = [f"{name}: {count:,}" for name, count in losses(snapshot.health, words).items()]
        st.text(", ".join(lost) or words("health.nothing_lost"))
        st.caption(words("health.latency_what"))
    st.text(", ".join(f"{name} {value}" for name, value in versions(snapshot).items()))


def log_of(page: PageContext) -> list[str] | str:
    """The analyzer's last lines, or a sentence why there are none."""
    try:
        lines = get(page.analyzer, page.token, "/log").get("lines")
    except AnalyzerError as error:
        return page.words(f"health.log_fault.{'no_token' if error.fault == 'no_token' else 'other'}")
    return [str(line) for line in lines] if isinstance(lines, list) else []


def card(words: Translator) -> None:
    """The card that lies beside the model, in English."""
    text, plot = card_parts()
    st.text(limits(words))
    if words.language != "en":
        st.caption(words("health.card_what"))
    with st.container(key="plot"):
        st.image(plot, width=900)
    with st.container(key="card"):
        st.markdown(text.replace("# Model card: ", "#### ").replace("\n## ", "\n##### "))
