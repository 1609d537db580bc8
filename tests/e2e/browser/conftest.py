"""What the tests of the pages share: one browser with its tabs, one dashboard, one analyzer port a module."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, expect, sync_playwright

from tests.support.analyzer_server import FakeAnalyzer
from tests.support.paths import ROOT

CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

LOCAL = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What was pressed or resized is drawn after them."""

WIDE: ViewportSize = {"width": 1280, "height": 1000}

OpenTab = Callable[..., Page]
"""``open_tab(path="", **options)``: a tab at a page, for a reader of its own; options as in ``Tabs.open``."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser for the module: while Playwright is there, nothing else in the process can use asyncio."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def analyzer_port() -> int:
    """One port for the module: Streamlit starts once, analyzers come and go."""
    return free_port()


@pytest.fixture(scope="module")
def dashboard(
    analyzer_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of the dashboard, started by the command that a person types."""
    port = free_port()
    start = "import sys; from dashboard.command import command; sys.exit(command(sys.argv[1:]))"
    options = ["--analyzer", f"ws://127.0.0.1:{analyzer_port}", "--port", str(port)]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    home = str(tmp_path_factory.mktemp("home"))  # a reader's choices are kept there
    environment = os.environ | {"PYTHONPATH": paths, "XDG_DATA_HOME": home}
    process = subprocess.Popen([sys.executable, "-c", start, *options], env=environment)
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
    yield f"http://127.0.0.1:{port}", process
    process.terminate()
    assert process.wait(timeout=20) == 0, "SIGTERM must end the dashboard in an orderly way"


@pytest.fixture(scope="module")
def address(dashboard: tuple[str, subprocess.Popen[bytes]]) -> str:
    """Where the dashboard is served."""
    return dashboard[0]


@pytest.fixture
def analyzer(analyzer_port: int) -> Iterator[FakeAnalyzer]:
    with FakeAnalyzer(analyzer_port) as fake:
        yield fake


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


@pytest.fixture(scope="module")
def module_tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture
def tabs(module_tabs: Tabs) -> Iterator[Tabs]:
    """The tabs of the module, unused; a fault in their scripts fails the test."""
    module_tabs.faults.clear()
    module_tabs.requests.clear()
    yield module_tabs
    module_tabs.take_back()
    assert module_tabs.faults == []


@pytest.fixture
def open_tab(tabs: Tabs, address: str) -> Iterator[OpenTab]:
    """Opens tabs; a foreign address fails the test."""
    yield lambda path="", **options: tabs.open(f"{address}/{path}", **options)
    strangers = [request.url for request in tabs.requests if not LOCAL.match(request.url)]
    assert strangers == [], "the page must not load from elsewhere"


def open_live(open_tab: OpenTab, analyzer: FakeAnalyzer, **options: Any) -> Page:
    """The Live page, connected."""
    page = open_tab(**options)
    expect(page.get_by_test_id("source")).to_have_attribute("data-source", analyzer.source, timeout=60_000)
    return page
