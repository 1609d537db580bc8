"""File page in a browser, with the real analysis."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import av
import numpy as np
import psutil
from playwright.sync_api import Browser, Page, expect

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.file import Band, bands_data
from tests.support.audio import write
from tests.support.browser import OpenTab, component_modules
from tests.support.paths import DEMONSTRATION
from tests.support.waiting import wait_until

HOSTILE = "<img src=x onerror=alert(1)> **loud** \N{RIGHT-TO-LEFT OVERRIDE}3pm.mp3"
PATIENCE_MS = 240_000  # the analysis has the lowest priority
UPLOAD_BYTES = 100_000_000
YOUTUBE = re.compile(r"https://www\.youtube\.com/")


def upload(page: Page, *files: Path) -> None:
    page.get_by_test_id("stFileUploader").locator("input").set_input_files(list(files))


def excerpt(path: Path) -> Path:
    """Write eight seconds each of two songs of the demonstration. Explaining more may take minutes."""
    with av.open(str(DEMONSTRATION)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=22_050)
        pieces = [
            part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)
        ]
    sound = np.concatenate(pieces)
    songs = (sound[22_050 * 84 : 22_050 * 92], sound[22_050 * 12 : 22_050 * 20])
    return write(path, np.concatenate(songs), 22_050)


def test_files_are_analyzed_and_explained(open_tab: OpenTab, tmp_path: Path) -> None:
    hostile = tmp_path / HOSTILE.replace("/", "")
    hostile.write_bytes(b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n")
    silence_path = write(tmp_path / "silence.wav", np.zeros(22_050 * 8, np.float32), 22_050)
    song_path = excerpt(tmp_path / "song.wav")
    page = open_tab("file")
    upload(page, hostile, silence_path, song_path)
    boxes = page.locator("[class*=st-key-file-]")
    song, broken, still = (
        boxes.filter(has_text=name) for name in (song_path.name, "**loud**", silence_path.name)
    )
    expect(broken).to_contain_text(Translator("en")("file.fault.unreadable"), timeout=PATIENCE_MS)
    expect(broken).to_contain_text("<img src=x onerror=alert(1)> **loud**")
    expect(still).to_contain_text("No music", timeout=PATIENCE_MS)
    expect(song).to_contain_text("Length 0:16", timeout=PATIENCE_MS)
    expect(song).to_contain_text("beats per minute")
    assert song.locator("[role=img] span").count() >= 3, "two genres and an unsure part are expected"
    song.get_by_text("What the model saw").click()
    expect(song).to_contain_text("Bright areas mattered for")
    expect(song.locator("img")).to_have_count(2)
    song.get_by_text("Songs to try").click()
    expect(song.get_by_role("link", name="YouTube").first).to_have_attribute("href", YOUTUBE)
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("link", name="History").click()
    expect(page.get_by_test_id("stFileUploader")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="Analyze a file").click()
    expect(song).to_contain_text("Length 0:16", timeout=PATIENCE_MS)  # the result must still be there
    expect(boxes).to_have_count(3)
    broken.get_by_role("button", name="Remove").click()
    expect(boxes).to_have_count(2)
    upload(page, silence_path)
    expect(boxes).to_have_count(3)
    page.get_by_role("button", name=f"Remove {silence_path.name}").click()
    expect(boxes).to_have_count(2)


def test_the_bytes_of_uploads_are_given_back_once_they_are_copied(
    open_tab: OpenTab, dashboard: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """515 MB stayed in memory after the tab of their uploads was closed."""

    def resident_megabytes() -> float:
        command = psutil.Process(dashboard[1].pid)
        servers = [each for each in command.children(recursive=True) if "dashboard.server" in each.cmdline()]
        return sum(float(each.memory_info().rss) for each in servers) / 1e6

    page = open_tab("file")
    boxes = page.locator("[class*=st-key-file-]")
    unreadable = boxes.filter(has_text=Translator("en")("file.fault.unreadable"))
    small, *large = paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path in paths:
        path.write_bytes(bytes(UPLOAD_BYTES if path in large else 1000))
    upload(page, small)
    expect(unreadable).to_have_count(1, timeout=PATIENCE_MS)
    before = resident_megabytes()
    for number, path in enumerate(large, 2):
        upload(page, path)
        expect(unreadable).to_have_count(number, timeout=PATIENCE_MS)
    wait_until(lambda: resident_megabytes() - before < UPLOAD_BYTES / 2e6)
    page.get_by_role("button", name=f"Remove {large[0].name}").click()
    expect(boxes).to_have_count(2)
    expect(unreadable).to_have_count(2)


def test_the_page_is_translated_to_russian(open_tab: OpenTab) -> None:
    page = open_tab("file", locale="ru-RU")
    expect(page.get_by_text("никуда не отправляются")).to_be_visible(timeout=PATIENCE_MS)


def test_the_page_fits_a_phone(open_tab: OpenTab) -> None:
    page = open_tab("file", viewport={"width": 390, "height": 800})
    expect(page.get_by_test_id("stFileUploader")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_html_in_genre_names_stays_text(browser: Browser) -> None:
    bands_shown = [Band(0, 5, "<b>x</b>", True), Band(5, 9, "jazz", False)]
    page = browser.new_page()
    with component_modules() as address:
        page.goto(address)
        page.evaluate(
            """async (data) => {
              const { default: mount } = await import("./genre_bands/genre_bands.js");
              document.body.replaceChildren();
              mount({ parentElement: document.body, data });
            }""",
            bands_data(bands_shown, 9, Translator("en")),
        )
    bands = page.locator(".bands span")
    expect(bands).to_have_count(2)
    expect(bands.nth(1)).to_have_attribute("title", "0:05 \N{EN DASH} 0:09: jazz? Only a guess")
    expect(bands.nth(1)).to_have_class("guess")
    expect(page.locator(".legend")).to_have_text("jazz<b>x</b>")
    assert page.locator("b").count() == 0
    page.close()
