"""The Streamlit script: ``streamlit run app.py -- --analyzer ws://...``; ``command.py`` calls it.

It runs once per reader and again on every click; what lasts longer is in ``dashboard.reader``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components import text_of
from dashboard.environment import ANALYZER_URL
from dashboard.reader import Page, look, open_page
from dashboard.texts import LANGUAGES
from dashboard.views import file, for_you, live, model, session

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

# Drawn here: Streamlit would fetch an emoji from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#101114"/><g fill="#ffa200"><rect x="6" y="13" width="4" height="6" rx="2"/><rect x="12" y="7" '
    'width="4" height="18" rx="2"/><rect x="18" y="10" width="4" height="12" rx="2"/><rect x="24" y="13" '
    'width="4" height="6" rx="2"/></g></svg>'
)

VIEWS = {"live": live, "for_you": for_you, "session": session, "file": file, "model": model}
"""By the last part of their addresses; the first is the page at the root."""

WITHOUT_SONGS = ("session", "file", "model")
"""On the others the songs themselves keep up."""

LAYOUT = """<style>
.stMainBlockContainer { max-width: 94rem; padding: .7rem clamp(1rem, 3vw, 4rem) 3rem; }
[data-testid="stHeader"] { background: none; }
[data-testid="stHeader"], [data-testid="stHeader"] div { pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
.st-key-frame { padding-right: 2.5rem; margin-bottom: .6rem; }
.st-key-frame .name { font-size: 1.25rem; font-weight: 750; margin: 0; padding: 0; }
.st-key-frame .st-key-language { margin-left: auto; }
.st-key-pages { gap: .2rem .1rem !important; }
.st-key-pages a { white-space: nowrap; }
@media (max-width: 900px) { .st-key-frame > :has(> .st-key-pages) { order: 1; flex: 1 1 100%; } }
.overheard-away {
  position: fixed; inset: auto 1rem 1rem; z-index: 999999; max-width: 46rem; margin: 0 auto;
  padding: .8rem 1.1rem; border-radius: .7rem; border: 1px solid #8a8d94;
  background: #1b1d22; color: #fff; font: 1rem/1.4 system-ui, sans-serif;
}
[data-testid="stMainMenuItem-recordScreencast"], [data-testid="stMainMenuList"] + div { display: none; }
</style>"""
"""Streamlit's header lies over ours and lets it have the clicks; its menu has no more than is for readers."""


def main() -> None:
    """The page that was asked for, in its frame."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default=ANALYZER_URL)
    st.set_page_config(page_title="Overheard", page_icon=ICON, layout="wide")
    st.html(LAYOUT)
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
    # Streamlit says "en" whatever the page speaks; the code is one of ours.
    language = f"document.documentElement.lang = {page.words.language!r};"
    away = text_of("away.js").replace("= AWAY;", f"= {json.dumps(page.words('common.away'))};")
    st.html(f"<script>{language}\n{away}</script>", unsafe_allow_javascript=True)


def head(page: Page, pages: Sequence[StreamlitPage]) -> None:
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
            format_func=LANGUAGES.__getitem__,
            key="language",
            label_visibility="collapsed",
            width=130,
        )


@st.fragment(run_every=20.0)
def keep_up(page: Page) -> None:
    """Let the songs follow what is heard while the reader is elsewhere."""
    look(page.feed)


if __name__ == "__main__":
    main()
