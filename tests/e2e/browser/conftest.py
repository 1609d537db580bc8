"""Fixtures of the browser tests: one browser, one dashboard and one analyzer port per module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.analyzer_server import FakeAnalyzer
from tests.support.browser import CHROMIUM_OPTIONS, LOCAL, PATIENCE_MS, OpenTab, Tabs
from tests.support.network import free_port
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Browser of the module. While Playwright runs, nothing else in the process can use asyncio."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def analyzer_port() -> int:
    """Port of all analyzers of a module, because Streamlit starts only once."""
    return free_port()


@pytest.fixture(scope="module")
def dashboard(
    analyzer_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of the dashboard, which is started with its command."""
    port = free_port()
    start = "import sys; from dashboard.cli.dashboard import command; sys.exit(command(sys.argv[1:]))"
    options = ["--analyzer", f"ws://127.0.0.1:{analyzer_port}", "--port", str(port)]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    home = str(tmp_path_factory.mktemp("home"))  # the dashboard stores feedback there
    environment = os.environ | {"PYTHONPATH": paths, "XDG_DATA_HOME": home}
    process = subprocess.Popen([sys.executable, "-c", start, *options], env=environment)
    deadline = time.monotonic() + 180
    while True:
        try:  # the port alone proves nothing: the command tries it before it starts the server
            with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=10):
                break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}", process
    process.terminate()
    assert process.wait(timeout=60) == 0, "SIGTERM must end the dashboard in an orderly way"


@pytest.fixture(scope="module")
def address(dashboard: tuple[str, subprocess.Popen[bytes]]) -> str:
    """Address of the dashboard."""
    return dashboard[0]


@pytest.fixture
def analyzer(analyzer_port: int) -> Iterator[FakeAnalyzer]:
    with FakeAnalyzer(analyzer_port) as fake:
        yield fake


@pytest.fixture(scope="module")
def module_tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture
def tabs(module_tabs: Tabs) -> Iterator[Tabs]:
    """Unused tabs of the module. An error in a script of the page fails the test."""
    module_tabs.faults.clear()
    module_tabs.requests.clear()
    yield module_tabs
    module_tabs.reset()
    assert module_tabs.faults == []


@pytest.fixture
def open_tab(tabs: Tabs, address: str) -> Iterator[OpenTab]:
    """Function that opens tabs. A request to another host fails the test."""
    yield lambda path="", **options: tabs.open(f"{address}/{path}", **options)
    foreign = [request.url for request in tabs.requests if not LOCAL.match(request.url)]
    assert foreign == [], "the page must not load from other hosts"
