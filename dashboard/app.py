"""The Streamlit script: ``streamlit run app.py -- --analyzer ws://...``; ``command.py`` calls it.

It runs once per reader and again on every click; what lasts longer is in ``dashboard.session``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components.document_language import set_document_language
from dashboard.components.offline_banner import show_offline_banner
from dashboard.environment import ANALYZER_URL
from dashboard.i18n.languages import LANGUAGES
from dashboard.session import PageContext, open_page, refresh_all
from dashboard.views import file, health, history, live, recommendations

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

# Drawn here: Streamlit would fetch an emoji from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#101114"/><g fill="#ffa200"><rect x="6" y="13" width="4" height="6" rx="2"/><rect x="12" y="7" '
    'width="4" height="18" rx="2"/><rect x="18" y="10" width="4" height="12" rx="2"/><rect x="24" y="13" '
    'width="4" height="6" rx="2"/></g></svg>'
)

VIEWS = {"live": live, "for_you": recommendations, "session": history, "file": file, "model": health}
"""By the last part of their addresses; the first is the page at the root."""

WITHOUT_SONGS = ("session", "file", "model")
"""On the others the songs themselves keep up."""

STYLESHEET = Path(__file__).parent / "static" / "page.css"


def main() -> None:
    """The page that was asked for, in its frame."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default=ANALYZER_URL)
    st.set_page_config(page_title="Overheard", page_icon=ICON, layout="wide")
    st.html(STYLESHEET)
    page = open_page(parser.parse_args().analyzer)
    pages = [
        st.Page(partial(view.show, page), title=page.words(f"common.page.{name}"), url_path=name)
        for name, view in VIEWS.items()
    ]
    chosen = st.navigation(pages, position="hidden")
    head(page, pages)
    chosen.run()
    if chosen.url_path in WITHOUT_SONGS:
        keep_up(page)
    with st.container(key="background"):
        set_document_language(page.words.language)
        show_offline_banner(page.words)


def head(page: PageContext, pages: Sequence[StreamlitPage]) -> None:
    """The program's name, all pages by their names on a phone, too, and the language."""
    with st.container(horizontal=True, vertical_alignment="center", key="frame"):
        st.html('<p class="name">Overheard</p>', width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content", key="pages"):
            for each in pages:
                st.page_link(each, width="content")
        st.session_state["language"] = page.words.language  # or it would go with the widget's page
        st.selectbox(
            page.words("common.language"),
            list(LANGUAGES),
            format_func=lambda code: LANGUAGES[code].own_name,
            key="language",
            label_visibility="collapsed",
            width=130,
        )


@st.fragment(run_every=20.0)
def keep_up(page: PageContext) -> None:
    """Let the songs follow what is heard while the reader is elsewhere."""
    refresh_all(page.feed)


if __name__ == "__main__":
    main()
