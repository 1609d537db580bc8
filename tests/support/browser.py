"""Browser options, tabs, and steps that the tests of several pages share."""

from __future__ import annotations

import re
import socket
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

PATIENCE_MS = 30_000
ROWS = PlaylistSettings().size


def opened(page: Page, analyzer: FakeAnalyzer) -> Page:
    analyzer.wait_for_clients(1)
    expect(page.get_by_test_id("songs")).to_be_visible(timeout=60_000)
    return page


def play(analyzer: FakeAnalyzer, genre: str, seconds: int, begin: int = 0) -> None:
    """An estimate for every second of sound."""
    for second in range(begin, begin + seconds):
        analyzer.estimate(genre, 0.99, end_seconds=float(second + 5))


def cards_of(page: Page, analyzer: FakeAnalyzer, genre: str, seconds: int = 60) -> Locator:
    """The songs after a minute of one genre."""
    play(analyzer, genre, seconds)
    cards = page.get_by_test_id("songs").locator("ol > li")
    expect(cards).to_have_count(ROWS, timeout=PATIENCE_MS)
    return cards


def titles_of(cards: Locator) -> list[str]:
    return cards.locator(".title").all_inner_texts()


CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


LOCAL = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""After two frames, the effect of a click or a resize is drawn."""

RED_NOW = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(canvas.width - 2, canvas.height - 8, 1, 1);
  return data[0] > 150 && data[1] < 60 && data[3] === 255;
}"""
"""The red of rock at the right edge of the timeline, which is now."""

WIDE: ViewportSize = {"width": 1280, "height": 1000}


OpenTab = Callable[..., Page]
"""``open_tab(path="", **options)``: a tab at a page, for a reader of its own; options as in ``Tabs.open``."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tabs:
    """Tabs that one test uses after the other, each time for a reader whom the dashboard never saw before.

    A tab of its own for each would read and compile Streamlit's scripts again, seconds of work.

    Parameters
    ----------
    browser : Browser
        Where they are opened; all of one reader's nature share what the browser has loaded.
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
        **nature: Any,
    ) -> Page:
        """Open an address; ``nature`` is what a tab keeps for life, as Playwright's context options.

        Glides and fades take as much of a processor as all the rest; tests of them ask for them.
        """
        nature = {"locale": "en-US"} | nature
        tab = next((tab for tab in self._unused if tab[0] == nature), None)
        if tab is None:
            tab = (nature, self._browser.new_context(**nature).new_page())
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

    def take_back(self) -> None:
        """End what their readers did; nothing of it is left in the browser."""
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
    """Serve the components' folder. Yields its address, whose page can import the modules relatively."""
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
    """The Live page, connected."""
    page = open_tab(**options)
    expect(page.get_by_test_id("source")).to_have_attribute("data-source", analyzer.source, timeout=60_000)
    return page
