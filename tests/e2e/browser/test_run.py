"""``overheard run`` with a browser and the demonstration."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect
from websockets.sync.client import connect

from dashboard.recommendations.providers.catalog import songs as catalog
from realtime.cli.run import has_display
from tests.support.network import free_port, is_listening
from tests.support.page_server import request
from tests.support.waiting import wait_until

SPEED = 4
"""The demonstration's five and a half minutes in a minute and a half."""

GENRES_SEEN = """(wanted) => {
  const find = (id) => window.places?.[id]?.isConnected ? window.places[id] : place(id);
  const place = (id) => (window.places ??= {})[id] = [...document.querySelectorAll('*')]
    .map((e) => e.shadowRoot?.querySelector(`[data-testid=${id}]`)).find(Boolean);
  window.seen ??= new Set();
  const label = find("genre")?.dataset.label;
  if (label && find("state").dataset.state === "LISTENING") window.seen.add(label);
  return window.seen.size >= wanted;
}"""
"""Test of whether the page has shown a number of genres as sure. Unsure genres do not count."""


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Process of ``overheard run``, and the address of its page."""
    with run_program({}) as running:
        yield running


@contextlib.contextmanager
def run_program(environment: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``overheard run`` with additional variables and options, and yield its process and page address."""
    port = free_port()
    arguments = [
        "run",
        "--source",
        "demo",
        "--speed",
        str(SPEED),
        "--port",
        "0",
        "--dashboard-port",
        str(port),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *arguments, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # also ends the server of the page, which keeps the pipes open
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 900, "height": 700})  # a small page takes less processor time
    yield page
    page.close()


def test_the_page_follows_the_demonstration(
    running: tuple[subprocess.Popen[str], str], page: Page, tmp_path: Path
) -> None:
    process, address = running
    assert process.stdout is not None
    output = "".join(process.stdout.readline() for _ in range(5))
    assert "Overheard listens to  demonstration" in output
    assert address in output
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


def test_the_program_ends_if_the_dashboard_ends(running: tuple[subprocess.Popen[str], str]) -> None:
    process, address = running
    port = int(address.rpartition(":")[2])
    wait_until(lambda: is_listening(port))
    find = ["pgrep", "-P", str(process.pid), "-f", "realtime.cli dashboard"]
    children = subprocess.run(find, capture_output=True, text=True, check=True)
    (child,) = children.stdout.split()
    os.kill(int(child), signal.SIGKILL)
    assert process.wait(timeout=10) == 2
    assert process.stderr is not None
    assert "the dashboard ended unexpectedly with exit code -9" in process.stderr.read()
    wait_until(lambda: not is_listening(port))


def test_one_ctrl_c_ends_everything_within_three_seconds(
    running: tuple[subprocess.Popen[str], str], page: Page
) -> None:
    """An open page has websockets to Streamlit and to the analyzer, which must not delay the end."""
    process, address = running
    open_when_ready(page, address)
    expect(page.get_by_test_id("genre")).to_have_attribute("data-label", re.compile("."), timeout=60_000)
    family = descendants(process.pid)
    assert len(family) >= 2, "the dashboard and Streamlit must run"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    seconds = time.monotonic() - began
    print(f"Ctrl-C to the end: {seconds:.2f} s")
    assert seconds < 3
    assert not is_listening(int(address.rpartition(":")[2]))
    assert not [pid for pid in family if os.path.exists(f"/proc/{pid}")]
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_only_the_page_may_change_the_source(
    running: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    """The run creates a token for the dashboard alone. Without it a client receives only messages."""
    process, _ = running
    assert process.stdout is not None
    output = "".join(process.stdout.readline() for _ in range(6))
    analyzer = re.search(r"ws://\S+", output)
    assert analyzer is not None
    variables = Path(f"/proc/{descendants(process.pid)[0]}/environ").read_text().split("\0")
    (token,) = [
        each.removeprefix("OVERHEARD_TOKEN=") for each in variables if each.startswith("OVERHEARD_TOKEN=")
    ]
    assert re.fullmatch(r"[\w-]{32}", token, re.ASCII)
    assert token not in output
    for headers, kinds in ({}, ["hello"]), ({"Authorization": f"Bearer {token}"}, ["hello", "sources"]):
        with connect(analyzer[0], additional_headers=headers) as client:
            messages = [json.loads(client.recv(timeout=10)) for _ in range(6)]
            assert [m["type"] for m in messages if m["type"] in ("hello", "sources")] == kinds
    offered = next(m for m in messages if m["type"] == "sources")["available"]
    assert [each["name"] for each in offered] == ["demo", "system", "mic"]


def test_the_page_asks_for_the_key_of_the_settings_under_the_allowed_names() -> None:
    key = "the-key-of-this-page"
    with run_program({"OVERHEARD_PAGE_KEY": key}, "--allow-host", "radio.example") as (process, address):
        port = int(address.rpartition(":")[2])
        wait_until(lambda: is_listening(port))
        authorized = {"Authorization": f"Bearer {key}"}
        for host, status in (("localhost", 200), ("radio.example", 200), ("evil.example", 403)):
            assert request(port, "/", authorized | {"Host": host})[0] == status
        assert request(port, "/")[0] == 401
        process.terminate()
        output, errors = process.communicate(timeout=15)
        assert key not in output + errors


@pytest.mark.parametrize(
    ("environment", "options", "opened"),
    [
        ({"DISPLAY": ":99", "OVERHEARD_BROWSER": "1"}, (), True),
        ({"DISPLAY": ":99", "OVERHEARD_BROWSER": "1"}, ("--no-browser",), False),
        ({"DISPLAY": "", "WAYLAND_DISPLAY": "", "OVERHEARD_BROWSER": "1"}, (), False),
    ],
)
def test_the_browser_is_opened_if_there_is_a_screen(
    tmp_path: Path, environment: dict[str, str], options: tuple[str, ...], opened: bool
) -> None:
    """The variable BROWSER names a script that records the address instead of opening it."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/opened"\n')
    browser.chmod(0o755)
    with run_program(environment | {"BROWSER": f"{browser} %s"}, *options) as (_, address):
        port = int(address.rpartition(":")[2])
        wait_until(lambda: is_listening(port))
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
def test_a_display_is_detected_by_platform_and_environment(
    platform: str, environment: dict[str, str], screen: bool
) -> None:
    """On macOS and Windows a terminal counts as a display, which tests do not have."""
    assert has_display(environment, platform) is screen


def descendants(pid: int) -> list[int]:
    """Return all processes that a process started directly or indirectly."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    children = [int(child) for child in listed.split()]
    return [*children, *(each for child in children for each in descendants(child))]


def open_when_ready(page: Page, address: str) -> None:
    """Open the page as soon as Streamlit listens, which takes a few seconds."""
    deadline = time.monotonic() + 60
    while True:
        try:
            page.goto(address)
            return
        except Error:
            if time.monotonic() > deadline:
                raise
            page.wait_for_timeout(200)
