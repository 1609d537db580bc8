"""Health page in a browser: figures, log and model card."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from dashboard.i18n.translator import Translator
from tests.support.analyzer_server import FakeAnalyzer, health
from tests.support.browser import OpenTab, component_modules

PATIENCE_MS = 60_000
NAMES = ("live", "for_you", "session", "file", "model")
ENGLISH = Translator("en")


def test_the_page_shows_figures_losses_log_and_report(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = open_tab("model")
    expect(page.get_by_text(ENGLISH("health.no_health"))).to_be_visible(timeout=PATIENCE_MS)
    analyzer.send("health", **health(samples_lost=1_200, gaps=3))
    expect(page.get_by_text("Gaps: 3, Samples lost: 1,200")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stMetric")).not_to_have_count(0)
    expect(page.get_by_text(ENGLISH("health.latency_note"))).to_be_visible()  # the last part to be drawn
    page.get_by_text("Report a bug").click()  # before the box above it, whose opening would move it
    report = page.get_by_test_id("stCode").filter(has_text="streamlit: ")
    expect(report).to_contain_text("connected: True")
    expect(report.get_by_role("button")).to_be_visible()  # the button was once visible under a pointer only
    page.get_by_text("Last log lines of the analyzer").click()
    expect(page.get_by_text(ENGLISH("health.log_fault.other"))).to_be_visible()
    expect(page.get_by_text("The model knows ten genres")).to_be_visible()
    expect(page.get_by_text("Accuracy under three protocols")).to_be_visible()


def test_without_an_analyzer_the_page_shows_a_message(open_tab: OpenTab) -> None:
    page = open_tab("model", viewport={"width": 390, "height": 800})
    expect(page.get_by_text("The analyzer is not reachable")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in NAMES:  # a phone once showed an arrow instead of the links
        expect(page.get_by_role("link", name=ENGLISH(f"common.page.{name}"))).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("combobox", name=ENGLISH("common.language"))).to_be_in_viewport(ratio=1)
    page.get_by_role("link", name=ENGLISH("common.page.session")).click()
    expect(page.get_by_role("heading", name=ENGLISH("common.page.session"))).to_be_visible(
        timeout=PATIENCE_MS
    )


def test_a_message_replaces_streamlits_dialog_of_a_lost_connection(browser: Browser) -> None:
    """The dialog grayed out the page and asked for an internet connection. Other dialogs must stay."""
    page = browser.new_page()
    with component_modules() as address:
        page.goto(address)
        page.set_content(
            """<div data-test-connection-state="PINGING_SERVER" id="app"></div><script>
            const open = (text) => {
              const dialog = document.createElement("div");
              dialog.dataset.testid = "stDialog";
              dialog.innerHTML = `${text}<button aria-label="Close"></button>`;
              dialog.querySelector("button").onclick = () => dialog.remove();
              document.body.append(dialog);
            };</script>"""
        )
        mount = """async () => {
          const { default: mount } = await import("./offline_banner/offline_banner.js");
          mount({ data: "Start it again" });
        }"""
        for _ in range(2):  # each run of the page's script mounts it again
            page.evaluate(mount)
    page.evaluate("open('About')")
    expect(page.get_by_test_id("stDialog")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.evaluate("open('Connection error. Are you connected to the internet?')")
    expect(page.get_by_test_id("stDialog")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_text("Start it again")
    page.evaluate("document.getElementById('app').dataset.testConnectionState = 'CONNECTED'")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.close()
