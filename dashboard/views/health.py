"""Health page: readings of the analyzer, its log, a bug report, and the model card."""

from __future__ import annotations

import streamlit as st

from dashboard.analyzer.http import AnalyzerError, fetch_json
from dashboard.i18n.translator import Translator
from dashboard.session import PageContext
from dashboard.viewmodels.health import (
    bug_report,
    health_rows,
    limits_text,
    load_model_card,
    loss_counts,
    versions,
)

MAX_LOG_LINES = 60
"""Log lines that are shown. The bug report has all lines that the analyzer keeps."""


def show(page: PageContext) -> None:
    """Show the page."""
    translator = page.translator
    st.subheader(translator("health.heading"), anchor=False)
    show_health(page, page.feed.snapshot.connected)
    with st.expander(translator("health.log")):
        log = read_log(page)
        if isinstance(log, str):
            st.text(log)
        else:
            st.code(
                "\n".join(log[-MAX_LOG_LINES:]) or translator("health.no_log"), language=None, wrap_lines=True
            )
    with st.expander(translator("health.report")):
        st.caption(translator("health.report_note"))
        report = bug_report(page.feed.snapshot, [] if isinstance(log, str) else log)
        with st.container(key="report"):
            st.code(report, language=None, wrap_lines=True)  # its button copies it
    st.subheader(translator("health.card"), anchor=False)
    show_model_card(translator)


@st.fragment(run_every=2.0)
def show_health(page: PageContext, connected: bool) -> None:
    """Show the current readings, and refresh them. A change of the connection reruns the whole page."""
    translator, snapshot = page.translator, page.feed.snapshot
    if snapshot.connected != connected:
        st.rerun()
    if not snapshot.connected:
        st.text(translator("health.away"))
    elif snapshot.health is None:
        st.text(translator("health.no_health"))
    else:
        with st.container(horizontal=True):
            for name, value in health_rows(snapshot.health, translator).items():
                st.metric(name, value, width="content", border=True)
        lost = [f"{name}: {count:,}" for name, count in loss_counts(snapshot.health, translator).items()]
        st.text(", ".join(lost) or translator("health.nothing_lost"))
        st.caption(translator("health.latency_note"))
    st.text(", ".join(f"{name} {value}" for name, value in versions(snapshot).items()))


def read_log(page: PageContext) -> list[str] | str:
    """Return the analyzer's last log lines, or a message if they cannot be read."""
    try:
        lines = fetch_json(page.analyzer, page.token, "/log").get("lines")
    except AnalyzerError as error:
        return page.translator(f"health.log_fault.{'no_token' if error.fault == 'no_token' else 'other'}")
    return [str(line) for line in lines] if isinstance(lines, list) else []


def show_model_card(translator: Translator) -> None:
    """Show the accuracy of the shipped model, and its model card in English."""
    text, plot = load_model_card()
    st.text(limits_text(translator))
    if translator.language != "en":
        st.caption(translator("health.card_note"))
    with st.container(key="plot"):
        st.image(plot, width=900)
    with st.container(key="card"):
        st.markdown(text.replace("# Model card: ", "#### ").replace("\n## ", "\n##### "))
