"""Model and health: readings of the analyzer, its log, and the card."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.fake_analyzer import FakeAnalyzer

PATIENCE_MS = 30_000


def test_readings_losses_and_the_report(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = open_tab("model")
    expect(page.get_by_text("The first readings come within seconds")).to_be_visible(timeout=PATIENCE_MS)
    analyzer.send(
        "health", blocks_in=9, samples_lost=1_200, gaps=3, windows=80, windows_skipped=0, overruns=0,
        real_time_factor=40.0, latency_ms={"p50": 17.0, "p95": 30.0, "p99": 50.0}, clients=2,
    )  # fmt: skip
    expect(page.get_by_text("Gaps: 3, Samples lost: 1,200")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stMetric")).not_to_have_count(0)
    page.get_by_text("The analyzer's last log lines").click()
    expect(page.get_by_text("The analyzer's log cannot be had")).to_be_visible()
    page.get_by_text("Report a bug").click()
    report = page.get_by_test_id("stCode").filter(has_text="streamlit: ")
    expect(report).to_contain_text("connected: True")
    expect(page.get_by_text("It knows ten genres")).to_be_visible()
    expect(page.get_by_text("three protocols side by side")).to_be_visible()


def test_without_an_analyzer_the_page_says_so(open_tab: OpenTab) -> None:
    page = open_tab("model", viewport={"width": 390, "height": 800})
    expect(page.get_by_text("The analyzer is away")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
