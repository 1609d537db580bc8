"""What the tests of the pages share: one browser, one dashboard and one analyzer port a module."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.fake_analyzer import FakeAnalyzer

ROOT = Path(__file__).parents[2]
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

OpenTab = Callable[..., Page]
"""``open_tab(path="", **context)``: a tab of its own at a page, with Playwright's context options."""


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


@pytest.fixture
def open_tab(browser: Browser, address: str) -> Iterator[OpenTab]:
    """Opens tabs, each a reader of its own; a fault in their scripts or a foreign address fails the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []
    strangers: list[str] = []
    local = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")

    def open_one(path: str = "", **options: Any) -> Page:
        given = {"viewport": {"width": 1280, "height": 1000}, "locale": "en-US"} | options
        contexts.append(browser.new_context(**given))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda request: None if local.match(request.url) else strangers.append(request.url)
        )
        page.goto(f"{address}/{path}")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []
    assert strangers == [], "the page must not load from elsewhere"


def open_live(open_tab: OpenTab, analyzer: FakeAnalyzer, **context: Any) -> Page:
    """The Live page, connected."""
    page = open_tab(**context)
    expect(page.get_by_test_id("source")).to_have_text(analyzer.source, timeout=60_000)
    return page
