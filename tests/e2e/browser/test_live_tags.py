"""Words for the music on the live page in a browser, with a scripted analyzer."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.analyzer_server import FakeAnalyzer, genre_estimate
from tests.support.browser import OpenTab, open_live
from tests.support.genres import GENRES

KNOWN = {"80s": "era", "guitar": "instrument", "soul": "style", "calm": "mood", "female voice": "voice"}


def send_tags(analyzer: FakeAnalyzer, *names: str, state: str = "LISTENING") -> None:
    tags = [{"name": name, "probability": 0.5} for name in names]
    body = genre_estimate("jazz", 0.9, state, "jazz") | {"tags": tags}
    analyzer.estimate("jazz", estimate=body)


def test_words_stand_below_the_genre_by_kind(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = open_live(open_tab, analyzer)
    words = page.get_by_test_id("tags")
    expect(words).to_be_hidden()
    model = {"name": "genre", "version": "2.0", "runtime": "LiteRT int8", "labels": list(GENRES)}
    tags = [{"name": name, "kind": kind} for name, kind in KNOWN.items()]
    analyzer.hello(model=model | {"window_seconds": 4.969, "tags": tags})
    send_tags(analyzer, "80s", "soul", "female voice", "calm")
    expect(words).to_have_text("soul \N{MIDDLE DOT} calm \N{MIDDLE DOT} female voice \N{MIDDLE DOT} 1980s")
    top = top_of_headline(page)
    send_tags(analyzer)
    expect(words).to_have_text("")
    assert top_of_headline(page) == top, "the headline must not jump"
    send_tags(analyzer, "guitar")
    expect(words).to_have_text("guitar")
    send_tags(analyzer, "guitar", state="SILENT")
    expect(words).to_have_text("")


def top_of_headline(page: Page) -> float:
    box = page.get_by_test_id("genre").bounding_box()
    assert box is not None
    return box["y"]
