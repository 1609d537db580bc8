"""Source list of the Live page: offered, measured, changed, paused and rejected sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.i18n.translator import Translator
from tests.support.analyzer_server import FakeAnalyzer
from tests.support.browser import OpenTab, open_live
from tests.support.protocol import Json

PATIENCE_MS = 60_000
TRANSLATORS = {language: Translator(language) for language in ("en", "ja")}


def source(name: str, level: float | None = None, selected: bool = False, error: str = "") -> Json:
    return {"name": name, "selected": selected, "level_dbfs": level, "error": error}


@pytest.fixture
def privileged(analyzer_port: int) -> Iterator[FakeAnalyzer]:
    offered = [
        source("demonstration", -18.0, selected=True),
        source("mic", -42.0),
        source("system <b>", error="no loopback device was found"),
    ]
    with FakeAnalyzer(analyzer_port, source="demonstration", offered=offered) as fake:
        yield fake


def open_picker(page: Page) -> None:
    page.locator("[data-part=picker]").click()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_sources_are_listed_with_levels_and_measured(
    open_tab: OpenTab, privileged: FakeAnalyzer, language: str
) -> None:
    translator = TRANSLATORS[language]
    page = open_live(open_tab, privileged, locale=language)
    open_picker(page)
    lines = page.get_by_test_id("offered").get_by_role("button")
    expect(lines).to_have_count(3, timeout=PATIENCE_MS)
    expect(lines.nth(0)).to_contain_text(translator("live.source.playing"))
    expect(lines.nth(0)).to_have_attribute("aria-current", "true")
    expect(lines.nth(1)).to_contain_text("\N{MINUS SIGN}42 dBFS")
    expect(lines.nth(0)).to_contain_text(translator("live.source.name.demo"))
    expect(lines.nth(2)).to_contain_text("No loopback device was found.")
    expect(lines.nth(2)).to_contain_text("system <b>")
    page.get_by_role("button", name=translator("live.source.measure")).click()
    control = privileged.wait_for_control("measure_levels")
    expect(page.get_by_test_id("notice")).to_have_text(translator("live.source.measuring"))
    privileged.offered = [source("demonstration", -20.0, selected=True), source("mic", -12.0)]
    privileged.sources()
    privileged.respond(control)
    expect(lines).to_have_count(2)
    expect(lines.nth(1)).to_contain_text("\N{MINUS SIGN}12 dBFS")
    expect(page.get_by_test_id("notice")).to_have_text("")


def test_a_source_is_changed_and_the_page_follows_it(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    """The old source ends before the new one begins. The page must not show that end."""
    page = open_live(open_tab, privileged)
    privileged.estimate("jazz")
    expect(page.get_by_test_id("genre")).to_have_text("jazz", timeout=PATIENCE_MS)
    open_picker(page)
    page.get_by_role("button", name="Microphone").click()
    control = privileged.wait_for_control("select_source")
    assert control["name"] == "mic"
    expect(page.get_by_test_id("notice")).to_have_text("Switching to Microphone.")
    privileged.respond(control)
    privileged.send("state", state="ENDED", code="source_changed", detail="")
    expect(page.get_by_test_id("state")).to_have_text(TRANSLATORS["en"]("live.state.CHANGING.title"))
    privileged.source = "mic"
    privileged.hello(replaces_source="demonstration")
    privileged.offered = [source("demonstration", -18.0), source("mic", -42.0, selected=True)]
    privileged.sources()
    expect(page.get_by_test_id("source")).to_have_text("Microphone")
    expect(page.locator("[data-part=panel]")).to_be_hidden()
    privileged.estimate("metal")
    expect(page.get_by_test_id("genre")).to_have_text("metal")
    expect(page.get_by_test_id("summary")).to_contain_text("jazz")  # earlier genres must stay


def test_a_refusal_is_shown_with_its_reason(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    page = open_live(open_tab, privileged)
    open_picker(page)
    page.get_by_role("button", name="Microphone").click()
    control = privileged.wait_for_control("select_source")
    answer = page.get_by_test_id("notice")
    privileged.respond({"id": "of-another-page"}, ok=False, detail="of another page")
    privileged.respond(control, ok=False, detail="no `mic` can be opened <i>now</i>")
    expect(answer).to_have_text("That did not work: No “mic” can be opened <i>now</i>.")
    expect(page.locator("[data-part=panel]")).to_be_visible()
    beside = page.get_by_test_id("offered").get_by_role("listitem").filter(has_text="Microphone")
    expect(beside.get_by_test_id("notice")).to_be_visible()
    expect(page.get_by_test_id("source")).to_have_text("Demonstration")
    privileged.offered = [source("demonstration", -18.0), source("mic", -42.0, selected=True)]
    privileged.sources()
    expect(answer).to_have_text("")


def test_a_refusal_is_shown_after_the_list_was_closed(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    page = open_live(open_tab, privileged)
    open_picker(page)
    page.get_by_role("button", name="Microphone").click()
    control = privileged.wait_for_control("select_source")
    page.keyboard.press("Escape")
    privileged.respond(control, ok=False, detail="busy")
    expect(page.get_by_test_id("notice")).to_be_visible()
    expect(page.get_by_test_id("notice")).to_have_text("That did not work: Busy.")


def test_pausing_and_resuming_changes_the_page(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    page = open_live(open_tab, privileged)
    privileged.estimate("jazz")
    page.get_by_role("button", name="Pause").click(timeout=PATIENCE_MS)
    privileged.respond(privileged.wait_for_control("pause"))
    privileged.paused = True
    privileged.sources()
    privileged.send("state", state="PAUSED", detail="")
    expect(page.get_by_test_id("genre")).to_have_text("paused")
    expect(page.get_by_test_id("level")).to_have_text("\N{EN DASH} dBFS")
    page.get_by_role("button", name="Resume").click()
    privileged.respond(privileged.wait_for_control("resume"))
    privileged.paused = False
    privileged.sources()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_without_the_token_the_list_has_a_hint_instead_of_sources(
    open_tab: OpenTab, analyzer: FakeAnalyzer
) -> None:
    page = open_live(open_tab, analyzer)
    expect(page.get_by_test_id("pause")).to_be_hidden()
    open_picker(page)
    expect(page.get_by_test_id("hint")).to_contain_text("overheard run")
    expect(page.get_by_test_id("measure")).to_be_hidden()
    page.mouse.click(5, 500)
    expect(page.get_by_test_id("hint")).to_be_hidden()


def test_the_keyboard_alone_is_enough(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    page = open_live(open_tab, privileged)
    expect(page.get_by_test_id("pause")).to_be_visible(timeout=PATIENCE_MS)
    focused = "document.activeElement.shadowRoot?.activeElement?.textContent.trim() ?? ''"
    for _ in range(40):
        page.keyboard.press("Tab")
        if "Demonstration" in page.evaluate(focused):
            break
    else:
        pytest.fail("Tab never came to the source")
    page.keyboard.press("Enter")
    assert page.evaluate(focused).startswith("Demonstration"), "the playing source must have the focus"
    outline = page.locator(".option").first.evaluate("(button) => getComputedStyle(button).outlineStyle")
    assert outline == "solid", "the focus must be visible"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("Microphone")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=panel]")).to_be_hidden()
    assert "Demonstration" in page.evaluate(focused)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert privileged.wait_for_control("select_source")["name"] == "mic"


def test_the_list_disappears_with_the_connection(open_tab: OpenTab, privileged: FakeAnalyzer) -> None:
    page = open_live(open_tab, privileged)
    expect(page.get_by_test_id("pause")).to_be_visible(timeout=PATIENCE_MS)
    privileged.stop()
    expect(page.get_by_test_id("pause")).to_be_hidden()
    with FakeAnalyzer(privileged.port, source="demonstration", offered=privileged.offered):
        expect(page.get_by_test_id("pause")).to_be_visible(timeout=PATIENCE_MS)
