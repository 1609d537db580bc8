"""``overheard run`` with a browser and the demonstration."""

from __future__ import annotations

import contextlib
import json
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
from playwright.sync_api import Browser, Error, Page, expect
from websockets.sync.client import connect

from dashboard.recommendations.providers.catalog import songs as catalog
from realtime.cli.run import has_display
from tests.support.browser import free_port

SPEED = 4
"""The demonstration's two minutes in half a minute."""

GENRES_SEEN = """(wanted) => {
  const find = (id) => window.places?.[id]?.isConnected ? window.places[id] : place(id);
  const place = (id) => (window.places ??= {})[id] = [...document.querySelectorAll('*')]
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
    with started({}) as running:
        yield running


@contextlib.contextmanager
def started(environment: dict[str, str], *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``overheard run`` and the page's address, with more in its environment and more options."""
    port = free_port()
    words = ["run", "--source", "demo", "--speed", str(SPEED), "--port", "0", "--dashboard-port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *words, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
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
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 900, "height": 700})  # a small one is drawn with less work
    yield page
    page.close()


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
    page.wait_for_function(GENRES_SEEN, arg=3, timeout=90_000, polling=100)
    print("genres seen:", page.evaluate("[...window.seen]"))
    expect(page.get_by_test_id("source")).to_have_text("Demonstration")
    expect(page.get_by_test_id("next").get_by_role("link").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="For you").last.click()
    songs = page.get_by_test_id("songs")
    expect(songs.locator(".title").first).to_be_visible(timeout=60_000)
    known = {song.title: song.genre for song in catalog.load()}
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
    assert "the dashboard ended unexpectedly with exit code -9" in process.stderr.read()
    wait_until(lambda: is_free(port))


def test_one_ctrl_c_ends_everything_within_three_seconds(
    running: tuple[subprocess.Popen[str], str], page: Page
) -> None:
    """With a page that is open, whose websockets Streamlit and the analyzer would rather keep."""
    process, address = running
    open_when_ready(page, address)
    expect(page.get_by_test_id("genre")).to_have_attribute("data-label", re.compile("."), timeout=60_000)
    family = descendants(process.pid)
    assert len(family) >= 2, "the dashboard and Streamlit"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    seconds = time.monotonic() - began
    print(f"Ctrl-C to the end: {seconds:.2f} s")
    assert seconds < 3
    assert is_free(int(address.rpartition(":")[2]))
    assert not [pid for pid in family if os.path.exists(f"/proc/{pid}")]
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_the_page_alone_may_change_what_is_listened_to(
    running: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    """The token is made for this run and known to the dashboard only; without it one may still listen."""
    process, _ = running
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(6))
    analyzer = re.search(r"ws://\S+", said)
    assert analyzer is not None
    told = Path(f"/proc/{descendants(process.pid)[0]}/environ").read_text().split("\0")
    (token,) = [each.removeprefix("OVERHEARD_TOKEN=") for each in told if each.startswith("OVERHEARD_TOKEN=")]
    assert re.fullmatch(r"[\w-]{32}", token, re.ASCII)
    assert token not in said
    for headers, kinds in ({}, ["hello"]), ({"Authorization": f"Bearer {token}"}, ["hello", "sources"]):
        with connect(analyzer[0], additional_headers=headers) as client:
            heard = [json.loads(client.recv(timeout=10)) for _ in range(6)]
            assert [m["type"] for m in heard if m["type"] in ("hello", "sources")] == kinds
    offered = next(m for m in heard if m["type"] == "sources")["available"]
    assert [each["name"] for each in offered] == ["demo", "system", "mic"]


@pytest.mark.parametrize(
    ("environment", "options", "opened"),
    [
        ({"DISPLAY": ":99", "OVERHEARD_BROWSER": "1"}, (), True),
        ({"DISPLAY": ":99", "OVERHEARD_BROWSER": "1"}, ("--no-browser",), False),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": "", "OVERHEARD_BROWSER": "1"}, (), False),
    ],
)
def test_the_browser_is_opened_where_there_is_a_screen(
    tmp_path: Path, environment: dict[str, str], options: tuple[str, ...], opened: bool
) -> None:
    """A program of ours stands for the browser, as the variable BROWSER has it."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/opened"\n')
    browser.chmod(0o755)
    with started(environment | {"BROWSER": f"{browser} %s"}, *options) as (_, address):
        port = int(address.rpartition(":")[2])
        wait_until(lambda: not is_free(port))
        if opened:
            wait_until((tmp_path / "opened").exists)
        time.sleep(2)
    found = (tmp_path / "opened").read_text().splitlines() if (tmp_path / "opened").exists() else []
    assert found == ([address] if opened else [])


@pytest.mark.parametrize(
    ("platform", "environment", "screen"),
    [("linux", {}, False), ("linux", {"DISPLAY": ""}, False), ("linux", {"DISPLAY": ":0"}, True),
     ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True), ("darwin", {"DISPLAY": ":0"}, False)],
)  # fmt: skip
def test_where_a_person_would_see_a_browser(platform: str, environment: dict[str, str], screen: bool) -> None:
    """Tests have no terminal, by which macOS and Windows are judged."""
    assert has_display(environment, platform) is screen


def descendants(pid: int) -> list[int]:
    """Processes that this one started, and those that they did."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    children = [int(child) for child in listed.split()]
    return [*children, *(each for child in children for each in descendants(child))]


def is_free(port: int) -> bool:
    """Check if nobody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once it holds; a minute is the most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
