"""Streamlit script of the dashboard, which ``overheard dashboard`` runs.

The command is ``streamlit run app.py -- --analyzer ws://...``. The script runs once for each browser tab and
again on every click. ``dashboard.session`` holds the state that lasts longer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components.document_language import set_document_language
from dashboard.components.offline_banner import prepare_offline_banner
from dashboard.environment import ANALYZER_URL
from dashboard.i18n.languages import LANGUAGES
from dashboard.session import PageContext, build_page_context, refresh_recommendations
from dashboard.views import file, health, history, live, recommendations

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

# An SVG, since Streamlit would fetch an emoji from another server.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#101114"/><g fill="#ffa200"><rect x="6" y="13" width="4" height="6" rx="2"/><rect x="12" y="7" '
    'width="4" height="18" rx="2"/><rect x="18" y="10" width="4" height="12" rx="2"/><rect x="24" y="13" '
    'width="4" height="6" rx="2"/></g></svg>'
)

VIEWS = {"live": live, "for_you": recommendations, "session": history, "file": file, "model": health}
"""Pages by the last part of their address. The first page is at the root."""

VIEWS_WITHOUT_SONGS = ("session", "file", "model")
"""Pages that do not show songs. On these pages, the recommendations are refreshed in the background."""

STYLESHEET = Path(__file__).parent / "static" / "page.css"


def main() -> None:
    """Show the requested page below the header."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default=ANALYZER_URL)
    parser.add_argument("--library", default="")
    arguments = parser.parse_args()
    st.set_page_config(page_title="Overheard", page_icon=ICON, layout="wide")
    st.html(STYLESHEET)
    page = build_page_context(arguments.analyzer, arguments.library)
    pages = [
        st.Page(partial(view.show, page), title=page.translator(f"common.page.{name}"), url_path=name)
        for name, view in VIEWS.items()
    ]
    selected = st.navigation(pages, position="hidden")
    show_header(page, pages)
    with st.container():  # what follows keeps its place, however much the page shows
        selected.run()
    if selected.url_path in VIEWS_WITHOUT_SONGS:
        refresh_in_background(page)
    with st.container(key="background"):
        set_document_language(page.translator.language)
        prepare_offline_banner(page.translator)


def show_header(page: PageContext, pages: Sequence[StreamlitPage]) -> None:
    """Show the name of the program, links to all pages, and the choice of the language."""
    with st.container(horizontal=True, vertical_alignment="center", key="frame"):
        st.html('<p class="name">Overheard</p>', width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content", key="pages"):
            for each in pages:
                st.page_link(each, width="content")
        # Streamlit forgets the value of a widget when the user changes the page.
        st.session_state["language"] = page.translator.language
        st.selectbox(
            page.translator("common.language"),
            list(LANGUAGES),
            format_func=lambda code: LANGUAGES[code].own_name,
            key="language",
            label_visibility="collapsed",
            width=130,
        )


@st.fragment(run_every=20.0)
def refresh_in_background(page: PageContext) -> None:
    """Refresh the recommendations while the user is on a page without songs."""
    refresh_recommendations(page.feed, is_seen=False)


if __name__ == "__main__":
    main()
