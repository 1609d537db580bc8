"""Tracks of the user's own library, offered and played by the page of ``overheard run``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.library.index import track_id
from models.audio.file import decode_file
from tests.e2e.browser.test_run import open_when_ready, run_program
from tests.support.audio import write
from tests.support.browser import PATIENCE_MS
from tests.support.page_server import request
from tests.support.paths import DEMONSTRATION
from tests.support.similar_tracks import Sound, write_sounds

RATE = 22_050
SECONDS = 60
"""Length of a track. It is longer than the slowest step of the test, so that no track ends by itself."""
FOUND = """(test) => {
  const own = [...document.querySelectorAll("*")]
    .map((element) => element.shadowRoot?.querySelector("[data-testid=own-tracks]")).find(Boolean);
  return own && new Function("audio", "own", `return ${test}`)(own.querySelector("audio"), own);
}"""
"""Value of an expression about the component's player."""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Table of three tracks by two artists, and of one that is in a bucket."""
    music = tmp_path / "My music & more"
    music.mkdir()
    sound = decode_file(str(DEMONSTRATION), RATE)
    for number in range(2):
        write(music / f"{number}.wav", sound[number * 20 * RATE : (number * 20 + SECONDS) * RATE], RATE)
    sounds = [
        Sound(str(music / "0.wav"), 0, "Ärzte <b>", "Mein Lied", SECONDS),
        Sound(str(music / "1.wav"), 20, "宇多田ヒカル", "光", SECONDS),
        Sound("s3://bucket/far.flac", 40, "Far", "Away", 90),
    ]
    return write_sounds(tmp_path / "table", sounds)


def test_own_tracks_are_offered_and_played(browser: Browser, library: Path, tmp_path: Path) -> None:
    context = browser.new_context(locale="en-US", permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with run_program({}, "--history", "off", "--library", str(library)) as (_process, address):
        open_when_ready(page, f"{address}/for_you")
        own = page.get_by_test_id("own-tracks")
        rows = own.locator("li")
        expect(rows).to_have_count(3, timeout=PATIENCE_MS)
        expect(own).to_contain_text("From your shelves")
        expect(own).to_contain_text("3 tracks of your library")
        expect(own.get_by_role("button", name=re.compile("^Play "))).to_have_count(2)
        expect(rows.filter(has_text="Far")).to_contain_text("Away")
        page.screenshot(path=str(tmp_path / "own.png"))
        check_player(page)
        check_playlist(page, library)
        song = library.parent / "My music & more" / "0.wav"
        port = int(address.rpartition(":")[2])
        path = f"/_overheard/library/{track_id(str(song))}"
        status, headers, _ = request(port, path, {"Range": "bytes=0-3"})
        assert (status, headers["content-range"]) == (206, f"bytes 0-3/{song.stat().st_size}")
        assert headers["x-content-type-options"] == "nosniff"
        assert request(port, path, {"Host": "evil.example"})[0] == 403
        assert request(port, path, {"Origin": "http://evil.example"})[0] == 403
        assert request(port, path, {"Sec-Fetch-Site": "cross-site"})[0] == 403
        for other in ("/_overheard/library/../../etc/passwd", "/_overheard/library/%2e%2e%2fetc%2fpasswd"):
            status, _, body = request(port, other)
            assert (status, "root:" in body) == (404, False)
    context.close()
    assert errors == []


def check_player(page: Page) -> None:
    """Play a track, seek, play another one, stop, and copy the folder."""
    own = page.get_by_test_id("own-tracks")
    own.get_by_role("button", name="Play Mein Lied").click()
    page.wait_for_function(FOUND, arg="audio.currentTime > 0.2", timeout=PATIENCE_MS)
    seconds = page.evaluate(FOUND, "audio.duration")
    assert seconds == pytest.approx(SECONDS, abs=0.1)
    own.get_by_role("slider", name="Position in Mein Lied").fill("30")
    page.wait_for_function(FOUND, arg="audio.currentTime >= 30 && !audio.seeking", timeout=PATIENCE_MS)
    own.get_by_role("button", name="Play 光").click()
    expect(own.get_by_role("slider", name="Position in 光")).to_be_visible()
    expect(own.get_by_role("button", name="Stop Mein Lied")).to_have_count(0)
    expect(own.get_by_role("slider")).to_have_count(1)
    own.get_by_role("button", name="Stop 光").click()
    expect(own.get_by_role("slider")).to_have_count(0)
    assert page.evaluate(FOUND, "audio.paused")
    own.get_by_role("button", name="Copy the folder of 光").click()
    expect(own.get_by_role("status")).to_contain_text("My music & more")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/My music & more")


def check_playlist(page: Page, library: Path) -> None:
    link = page.get_by_test_id("own-tracks").get_by_role("link", name="Save as a playlist (M3U)")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "overheard.m3u"
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert sorted(lines[2::2]) == sorted(
        [f"{library.parent}/My music & more/{number}.wav" for number in (0, 1)] + ["s3://bucket/far.flac"]
    )
