"""Analyzer on another host: address, certificate and token."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.support.network import Certificate, free_port, make_certificate

TOKEN = "a-token-of-this-test-only"
PATIENCE_MS = 60_000


def outer_address() -> str:
    """Return the address at which other hosts reach this one, or the loopback address without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])
    return "127.0.0.1"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, address=outer_address())


@contextlib.contextmanager
def run_program(*words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of the program until the end of the block."""
    process = subprocess.Popen([sys.executable, "-m", "realtime.cli", *words], env=os.environ | environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def address(certificate: Certificate, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a dashboard whose analyzer listens at the outer address of this host."""
    analyzer, page = free_port(), free_port()
    listen = (
        "listen", "--source", "demo", "--speed", "4", "--host", "0.0.0.0", "--port", str(analyzer),
        "--tls-certificate", str(certificate.path), "--tls-key", str(certificate.key),
        "--allow-origin", f"http://127.0.0.1:{page}",
    )  # fmt: skip
    show = (
        "dashboard", "--analyzer", f"wss://{outer_address()}:{analyzer}", "--port", str(page),
    )  # fmt: skip
    given = {"OVERHEARD_TOKEN": TOKEN, "XDG_DATA_HOME": str(tmp_path)}
    trusted = given | {"SSL_CERT_FILE": str(certificate.path)}
    with run_program(*listen, **given), run_program(*show, **trusted):
        yield f"http://127.0.0.1:{page}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    yield context.new_page()
    context.close()


def visit(page: Page, address: str) -> None:
    """Open a page that may not be served yet."""
    for _ in range(300):
        try:
            page.goto(address)
            return
        except Error:
            page.wait_for_timeout(200)
    raise TimeoutError(address)


def test_the_page_follows_and_controls_a_remote_analyzer_and_reads_its_history_and_log(
    page: Page, address: str
) -> None:
    visit(page, address)
    genre = page.get_by_test_id("genre")
    expect(genre).to_have_attribute("data-label", re.compile("[a-z]+"), timeout=PATIENCE_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_test_id("state")).to_contain_text("Paused", timeout=PATIENCE_MS)
    page.get_by_role("link", name="History").click()
    expect(page.locator("[data-session]")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Model and health").click()
    page.get_by_text("Last log lines of the analyzer").click(timeout=PATIENCE_MS)
    log = page.get_by_test_id("stCode").filter(has_text="all sources are closed").first
    expect(log).to_contain_text("paused: all sources are closed", timeout=PATIENCE_MS)
