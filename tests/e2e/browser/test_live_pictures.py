"""Spectrogram and timeline of the live page in a browser, with a scripted analyzer."""

from __future__ import annotations

import math
import re
import time

import pytest
from playwright.sync_api import Page, expect

from dashboard.i18n.translator import Translator
from tests.support.analyzer_server import COLUMN_SECONDS, ROWS, FakeAnalyzer
from tests.support.browser import RED_NOW, OpenTab, open_live

PATIENCE_MS = 60_000
ENGLISH = Translator("en")

COUNT_FRAMES = """(canvas) => {
  const context = canvas.getContext("2d");
  const original = context.drawImage;
  window.frames_drawn = 0;
  context.drawImage = function (...rest) { window.frames_drawn += 1; return original.apply(this, rest); };
}"""


@pytest.fixture
def page(open_tab: OpenTab, analyzer: FakeAnalyzer) -> Page:
    """Live page that is connected."""
    return open_live(open_tab, analyzer)


def test_frequency_marks_are_at_the_height_of_their_rows(page: Page, analyzer: FakeAnalyzer) -> None:
    """Rows are evenly spaced unless the message has their edges, which here are octaves above 1 kHz."""
    marks = page.locator("[data-part=frequencies] span")
    expect(marks).to_have_count(0)
    analyzer.spectrum(bytes(ROWS), COLUMN_SECONDS)
    expect(marks).to_have_text(["0", "5 kHz", "11 kHz"], timeout=PATIENCE_MS)
    heights = "(marks) => marks.map((mark) => parseFloat(mark.style.bottom))"
    assert marks.evaluate_all(heights) == pytest.approx([6, 100 * 5_000 / 11_025, 93], abs=0.01)

    edges = [1_000 * (12.025 ** (row / ROWS) - 1) for row in range(ROWS + 1)]
    analyzer.spectrum(bytes(ROWS), 2 * COLUMN_SECONDS, row_edges_hz=edges)
    expect(marks).to_have_text(["200 Hz", "1 kHz", "4 kHz", "8 kHz"], timeout=PATIENCE_MS)
    shares = [100 * math.log(1 + hz / 1_000) / math.log(12.025) for hz in (200, 1_000, 4_000, 8_000)]
    assert marks.evaluate_all(heights) == pytest.approx(shares, abs=0.1)
    box = page.locator("[data-part=frequencies]").locator("..").bounding_box()
    middle = marks.nth(1).bounding_box()
    assert box is not None
    assert middle is not None
    from_bottom = box["y"] + box["height"] - middle["y"] - middle["height"] / 2
    assert from_bottom / box["height"] == pytest.approx(shares[1] / 100, abs=0.02)


def test_spectrogram_and_timeline_move_and_come_to_rest(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = open_live(open_tab, analyzer, reduced_motion="no-preference")
    analyzer.spectrum(bytes([0] * (ROWS // 2) + [200] * (ROWS // 2)) * 40, 40 * COLUMN_SECONDS)
    analyzer.estimate("rock")
    spectrogram = page.get_by_test_id("spectrogram")
    page.wait_for_function(
        """(canvas) => {
          const context = canvas.getContext("2d");
          const at = (y) => context.getImageData(canvas.width * 0.95, canvas.height * y, 1, 1).data;
          return at(0.2)[0] < 40 && at(0.8)[0] > 200; // high notes: dark, above; low notes: bright, below
        }""",
        arg=spectrogram.element_handle(),
        timeout=PATIENCE_MS,
    )
    timeline, deadline = page.get_by_test_id("timeline"), time.monotonic() + PATIENCE_MS / 1000
    while not timeline.evaluate(RED_NOW):
        assert time.monotonic() < deadline
        page.wait_for_timeout(200)
        analyzer.estimate("rock")  # a single estimate is one or two pixels that move on
    # Sixty dark columns follow: the bright ones move left by a quarter of the picture.
    spectrogram.evaluate(COUNT_FRAMES)
    began = time.monotonic()
    for end in range(43, 101, 3):  # as often as the analyzer sends them
        analyzer.spectrum(bytes(ROWS * 3), end * COLUMN_SECONDS)
        page.wait_for_timeout(3 * COLUMN_SECONDS * 1000)
    drawn: int = page.evaluate("window.frames_drawn")
    assert drawn / (time.monotonic() - began) >= 10
    deadline = time.monotonic() + 4
    while drawn != (drawn := page.evaluate("window.frames_drawn")):
        assert time.monotonic() < deadline, "an image that does not change must not be drawn again"
        page.wait_for_timeout(500)
    page.wait_for_function(
        """(canvas) => {
          const context = canvas.getContext("2d");
          const red = (x) => context.getImageData(canvas.width * x, canvas.height * 0.8, 1, 1).data[0];
          return red(0.95) < 40 && red(0.65) > 200;
        }""",
        arg=spectrogram.element_handle(),
        timeout=PATIENCE_MS,
    )


def test_the_spectrogram_is_complete_after_visiting_a_page(page: Page, analyzer: FakeAnalyzer) -> None:
    """The spectrogram was once empty after each return, above a full timeline."""
    links = page.get_by_role("link")
    links.get_by_text(ENGLISH("common.page.session")).click()
    expect(page.get_by_test_id("spectrogram")).to_have_count(0, timeout=PATIENCE_MS)
    for end in range(40, 241, 40):
        analyzer.spectrum(bytes([200]) * ROWS * 40, end * COLUMN_SECONDS)
    analyzer.estimate("jazz")
    links.get_by_text(ENGLISH("common.page.live"), exact=True).click()
    expect(page.get_by_test_id("genre")).to_have_text("jazz", timeout=PATIENCE_MS)
    bright = """(canvas) => {
      const context = canvas.getContext("2d");
      const red = (x) => context.getImageData(canvas.width * x, canvas.height / 2, 1, 1).data[0];
      return red(0.3) > 200 && red(0.9) > 200;
    }"""
    page.wait_for_function(
        bright, arg=page.get_by_test_id("spectrogram").element_handle(), timeout=PATIENCE_MS
    )
    analyzer.estimate("blues")
    expect(page.get_by_test_id("genre")).to_have_text("blues")


def test_a_page_that_is_opened_later_shows_the_past(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    """The feed of the dashboard has the past, so neither a reload nor another page empties the timeline."""
    page = open_live(open_tab, analyzer)
    analyzer.wait_for_clients(2)  # this page and the feed of the server
    analyzer.estimate("metal", 0.9)
    for second in range(8):
        analyzer.estimate("metal", 0.9, end_seconds=float(second))
        page.wait_for_timeout(500)
    expect(page.get_by_test_id("summary")).to_contain_text("metal", timeout=PATIENCE_MS)
    later = open_live(open_tab, analyzer)
    expect(later.get_by_test_id("summary")).to_contain_text("metal", timeout=PATIENCE_MS)
    expect(later.get_by_test_id("timeline")).to_have_attribute("aria-label", re.compile("metal"))
