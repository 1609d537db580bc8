"""The main job as a person starts it: ``overheard run``, a browser, and the demonstration playing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from dashboard.recommendations import catalogue
from tests.browser.test_dashboard_page import CHROMIUM_OPTIONS, free_port

SPEED = 4
"""The demonstration's two minutes in half a minute."""

GENRES_SEEN = """(wanted) => {
  const find = (id) => document.querySelector(`[data-testid=${id}]`)
    ?? [...document.querySelectorAll('*')]
      .map((e) => e.shadowRoot?.querySelector(`[data-testid=${id}]`)).find(Boolean);
  window.seen ??= new Set();
  const label = find("genre")?.dataset.label;
  if (label && find("state").dataset.state === "LISTENING") window.seen.add(label);
  return window.seen.size >= wanted;
}"""
"""Genres that stood on the page with confidence; guesses do not count."""


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``overheard run`` and the page's address."""
    port = free_port()
    words = ["run", "--source", "demo", "--speed", str(SPEED), "--port", "0", "--dashboard-port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # it ends the page's server, which holds the pipes open
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_the_page_follows_the_demonstration(
    running: tuple[subprocess.Popen[str], str], page: Page, tmp_path: Path
) -> None:
    process, address = running
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(5))
    assert "Overheard listens to  demonstration" in said
    assert address in said
    open_when_ready(page, address)
    genre = page.get_by_test_id("genre")
    expect(genre).to_have_attribute("data-label", re.compile("."), timeout=60_000)
    page.wait_for_function(GENRES_SEEN, arg=3, timeout=90_000, polling=50)
    print("genres seen:", page.evaluate("[...window.seen]"))
    expect(page.get_by_test_id("source")).to_contain_text("demonstration")
    expect(page.get_by_test_id("songs")).to_be_visible()
    songs = page.get_by_test_id("songs")
    expect(songs.locator(".title").first).to_be_visible(timeout=60_000)
    known = {song.title: song.genre for song in catalogue.load()}
    genres = {known[title] for title in songs.locator(".title").all_inner_texts()}
    assert songs.get_attribute("data-genre") in genres
    page.screenshot(path=str(tmp_path / "page.png"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_without_its_page_the_main_job_ends(running: tuple[subprocess.Popen[str], str]) -> None:
    process, address = running
    port = int(address.rpartition(":")[2])
    wait_until(lambda: not is_free(port))
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    (child,) = children.stdout.split()
    os.kill(int(child), signal.SIGKILL)
    assert process.wait(timeout=10) == 2
    assert process.stderr is not None
    assert "the dashboard ended by itself with exit code -9" in process.stderr.read()
    wait_until(lambda: is_free(port))


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once it holds; a minute is the most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


def open_when_ready(page: Page, address: str) -> None:
    """Open the page; Streamlit takes a few seconds until it listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            page.goto(address)
            return
        except Error:
            if time.monotonic() > deadline:
                raise
            page.wait_for_timeout(200)
