"""Options and tabs of the browser, and steps that tests of several pages share."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from playwright.sync_api import Browser, Locator, Page, Request, ViewportSize, expect

from dashboard.recommendations.engine.settings import PlaylistSettings
from tests.support.analyzer_server import FakeAnalyzer
from tests.support.paths import ROOT

PATIENCE_MS = 60_000
"""Only a failure takes as long, even on a busy machine."""
ROWS = PlaylistSettings().size


def wait_until_open(page: Page, analyzer: FakeAnalyzer) -> Page:
    analyzer.wait_for_clients(1)
    expect(page.get_by_test_id("songs")).to_be_visible(timeout=60_000)
    return page


def send_estimates(analyzer: FakeAnalyzer, genre: str, seconds: int, begin: int = 0) -> None:
    """Send an estimate for every second."""
    for second in range(begin, begin + seconds):
        analyzer.estimate(genre, 0.99, end_seconds=float(second + 5))


def show_songs(page: Page, analyzer: FakeAnalyzer, genre: str, seconds: int = 60) -> Locator:
    """Play a genre and return the cards of the songs that then appear.

    A page may begin with the music of an earlier test, until the genre owns the first rows.
    """
    send_estimates(analyzer, genre, seconds)
    cards = page.get_by_test_id("songs").locator("ol > li")
    expect(cards).to_have_count(ROWS, timeout=PATIENCE_MS)
    for row in range(3):
        expect(cards.nth(row)).to_have_attribute("data-genre", genre, timeout=PATIENCE_MS)
    return cards


def read_titles(cards: Locator) -> list[str]:
    return cards.locator(".title").all_inner_texts()


CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


LOCAL = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Promise that waits two frames, after which the effect of a click or a resize is drawn."""

RED_NOW = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(canvas.width - 2, canvas.height - 8, 1, 1);
  return data[0] > 150 && data[1] < 60 && data[3] === 255;
}"""
"""Test of whether the timeline shows the red of rock at its right edge, which is the present."""

WIDE: ViewportSize = {"width": 1280, "height": 1000}


OpenTab = Callable[..., Page]
"""``open_tab(path="", **options)``: open a page for a new user. The options are those of ``Tabs.open``."""


class Tabs:
    """Tabs that the tests use one after the other. The dashboard takes each use for a new user.

    A new tab would load and compile Streamlit's scripts again, which takes seconds.

    Parameters
    ----------
    browser : Browser
        Browser of the tabs. Tabs with the same options share the cache of the browser.
    """

    def __init__(self, browser: Browser) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self._browser = browser
        self._unused: list[tuple[dict[str, Any], Page]] = []
        self._used: list[tuple[dict[str, Any], Page]] = []

    def open(
        self,
        address: str,
        *,
        viewport: ViewportSize = WIDE,
        color_scheme: Literal["light", "dark"] = "light",
        reduced_motion: Literal["reduce", "no-preference"] = "reduce",
        **context: Any,
    ) -> Page:
        """Open an address. ``context`` has options of Playwright's context, which a tab cannot change later.

        Animations are off unless a test asks for them, because they double the processor time.
        """
        context = {"locale": "en-US"} | context
        tab = next((tab for tab in self._unused if tab[0] == context), None)
        if tab is None:
            tab = (context, self._browser.new_context(**context).new_page())
            tab[1].set_default_timeout(PATIENCE_MS)
            tab[1].on("pageerror", lambda error: self.faults.append(str(error)))
            tab[1].on("request", lambda request: self.requests.append(request))
        else:
            self._unused.remove(tab)
        self._used.append(tab)
        page = tab[1]
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        page.goto(address)
        return page

    def reset(self) -> None:
        """Delete all that the users of the tabs left in the browser, and keep the tabs for the next test."""
        while self._used:
            tab = self._used.pop()
            page, context = tab[1], tab[1].context
            if page.is_closed():
                context.close()
                continue
            for other in context.pages:
                if other is not page:
                    other.close()
            page.unroute_all()
            context.unroute_all()
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
            context.clear_cookies()
            page.goto("about:blank")
            self._unused.append(tab)


@contextmanager
def component_modules() -> Iterator[str]:
    """Serve the folder of the components, and yield its address. Its page can import the modules."""
    handler = partial(SimpleHTTPRequestHandler, directory=ROOT / "dashboard" / "components")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def open_live(open_tab: OpenTab, analyzer: FakeAnalyzer, **options: Any) -> Page:
    """Open the Live page and wait until it is connected."""
    page = open_tab(**options)
    expect(page.get_by_test_id("source")).to_have_attribute("data-source", analyzer.source, timeout=60_000)
    return page
