"""Recommendations page in a browser, with a scripted analyzer and the bundled catalog."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from dashboard.recommendations.providers.catalog import songs as catalog
from tests.support.analyzer_server import FakeAnalyzer
from tests.support.browser import (
    PATIENCE_MS,
    TWO_FRAMES,
    OpenTab,
    read_titles,
    send_estimates,
    show_songs,
    wait_until_open,
)


@pytest.fixture
def page(open_tab: OpenTab, analyzer: FakeAnalyzer) -> Page:
    """For you, after the dashboard has connected to the analyzer."""
    return wait_until_open(open_tab("for_you"), analyzer)


def test_songs_match_the_music_and_stay_in_silence(page: Page, analyzer: FakeAnalyzer) -> None:
    songs = page.get_by_test_id("songs")
    expect(songs).to_contain_text("Songs appear here after 30 seconds of music.", timeout=PATIENCE_MS)
    cards = show_songs(page, analyzer, "reggae", 130)
    expect(songs).to_have_attribute("data-genre", "reggae")
    titles = read_titles(cards)
    known = {song.title for song in catalog.load() if song.genre == "reggae"}
    assert len(known & set(titles)) >= len(titles) - 2, "a trace of doubt may bring another genre"
    expect(page.get_by_test_id("song-cause")).to_have_text("reggae for 2 minutes")
    expect(songs.locator(".bar")).to_have_attribute("aria-label", "Genre mix of the songs")
    expect(songs.locator(".legend")).to_have_text("reggae 100%")
    expect(cards.first.locator(".reason")).to_have_text("Because reggae played in the last few minutes")
    expect(page.get_by_test_id("song-providers")).to_contain_text("Not set up: there is no key.")
    expect(page.get_by_test_id("song-announcement")).to_have_text(re.compile(r"^New songs: \d+$"))
    analyzer.estimate("reggae", state="SILENT", end_seconds=136.0)
    analyzer.send("state", state="SILENT", detail="")
    expect(songs).to_contain_text("Nothing is playing.", timeout=PATIENCE_MS)
    assert read_titles(cards) == titles
    page.get_by_role("button", name="Other songs").click()
    expect(cards.locator(".title").first).not_to_have_text(titles[0], timeout=PATIENCE_MS)


def test_choices_take_effect_at_once_and_can_be_undone(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = show_songs(page, analyzer, "rock")
    songs, box = page.get_by_test_id("songs"), page.get_by_test_id("choices")
    before = read_titles(cards)
    never = cards.nth(0).get_by_role("button", name="Never show this artist")
    title = never.get_attribute("title")
    never.click()
    offer = cards.nth(0).locator(".offer")
    expect(offer).to_contain_text("Never shown again: ", timeout=PATIENCE_MS)
    assert (
        title
        == f"Never show this artist: {offer.locator('span').inner_text().removeprefix('Never shown again: ')}"
    )
    expect(songs).not_to_contain_text(before[0], timeout=PATIENCE_MS)
    offer.get_by_role("button", name="Undo").click()
    expect(box.locator("summary")).to_have_text("Your choices: 0", timeout=PATIENCE_MS)
    expect(songs.locator(".offer")).to_have_count(0)
    before[0] = read_titles(cards)[0]
    cards.nth(0).get_by_role("button", name="Never show this artist").click()
    expect(songs).not_to_contain_text(before[0], timeout=PATIENCE_MS)
    cards.nth(1).get_by_role("button", name="Show another song").click()
    expect(songs).not_to_contain_text(before[1], timeout=PATIENCE_MS)
    for number, name in ((2, "I like this song"), (3, "Keep this song in the list")):
        button = cards.nth(number).get_by_role("button", name=name)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true", timeout=PATIENCE_MS)
    assert read_titles(cards)[2:] == before[2:], "whatever was not spoken of keeps its place"
    page.get_by_role("button", name="Other songs").click()
    expect(songs).not_to_contain_text(before[4], timeout=PATIENCE_MS)
    assert read_titles(cards)[2:4] == before[2:4], "liked and kept songs stay"

    box.locator("summary").click()
    expect(box.locator("summary")).to_have_text("Your choices: 3")
    expect(box.locator("li")).to_have_count(3)
    expect(box.locator("li").first).to_contain_text("never again")
    box.get_by_role("button", name="Undo").first.click()
    expect(box.locator("li")).to_have_count(2, timeout=PATIENCE_MS)
    box.get_by_role("button", name="Delete all choices").click()
    expect(box.locator("summary")).to_have_text("Your choices: 0", timeout=PATIENCE_MS)
    expect(box.get_by_role("button", name="Delete all choices")).to_be_disabled()


def test_filters_change_the_list_and_stand_after_a_visit_elsewhere(
    page: Page, analyzer: FakeAnalyzer
) -> None:
    cards = show_songs(page, analyzer, "pop")
    language, age = (
        page.get_by_role("combobox", name=f"{each} of the songs", exact=True) for each in ("Language", "Age")
    )
    language.click()
    page.get_by_role("option", name="한국어").click()
    korean, foreign = (cards.locator(f".title{each}") for each in ("[lang=ko]", ":not([lang=ko])"))
    expect(korean).not_to_have_count(0, timeout=PATIENCE_MS)
    expect(foreign).to_have_count(0, timeout=PATIENCE_MS)
    age.click()
    expect(page.get_by_role("option", name="1990s")).to_be_visible()
    expect(page.get_by_role("option", name="Last week")).to_have_count(0)
    expect(page.get_by_test_id("songs")).to_contain_text("need a service that is set up")
    page.get_by_role("option", name="Before 1950").click()
    expect(cards).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("song-notes")).to_contain_text("no songs of this language and age")
    more = page.get_by_test_id("song-more").get_by_role("button", name="other years")
    expect(more).to_have_text(re.compile(r"^Include other years \(\d+\)$"))
    more.focus()
    page.keyboard.press("Enter")
    expect(more).to_have_text("Leave out other years", timeout=PATIENCE_MS)
    expect(more).to_be_focused()
    expect(cards.locator(".relaxed").first).to_have_text("Outside your filters: age", timeout=PATIENCE_MS)
    expect(foreign).to_have_count(0)
    more.click()
    expect(cards).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_test_id("songs")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="For you").click()
    expect(page.get_by_test_id("songs")).to_be_visible(timeout=PATIENCE_MS)
    expect(language).to_have_value("한국어", timeout=PATIENCE_MS)
    expect(age).to_have_value("Before 1950")


def test_the_language_of_the_reader_comes_first_and_english_beside_it(
    open_tab: OpenTab, analyzer: FakeAnalyzer
) -> None:
    """Regression: whoever read the page, most rock songs were Korean or Japanese."""
    page = wait_until_open(open_tab("for_you", locale="ja-JP"), analyzer)
    cards = show_songs(page, analyzer, "rock")
    expect(page.get_by_role("combobox", name="曲の言語")).to_have_value(re.compile("^自動.日本語、English$"))
    languages = cards.locator(".title").evaluate_all("(titles) => titles.map((title) => title.lang)")
    assert set(languages) <= {"ja", "en"}
    assert languages[0] == "ja"
    analyzer.send("title", title="Кино - Группа крови")
    expect(page.get_by_role("combobox", name="曲の言語")).to_have_value(
        re.compile("^自動.Русский、日本語、English$"), timeout=PATIENCE_MS
    )


def test_the_server_knows_whether_the_page_is_seen(page: Page, analyzer: FakeAnalyzer) -> None:
    """The timer that replaces songs stands while nobody sees them."""
    show_songs(page, analyzer, "pop")
    songs = page.get_by_test_id("songs")
    expect(songs).to_have_attribute("data-seen", "true")
    for state, seen in (("hidden", "false"), ("visible", "true"), ("hidden", "false")):
        page.evaluate(
            """(state) => {
              Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }""",
            state,
        )
        expect(songs).to_have_attribute("data-seen", seen, timeout=PATIENCE_MS)


def test_a_song_that_was_opened_counts(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = show_songs(page, analyzer, "jazz")
    page.context.route(re.compile(r"^https://"), lambda route: route.abort())
    link = cards.first.get_by_role("link", name=re.compile("^Search for .* on Spotify$"))
    assert link.get_attribute("title") == "Search on Spotify"
    assert (link.get_attribute("rel"), link.get_attribute("target")) == ("noopener noreferrer", "_blank")
    with page.expect_popup():
        link.click()
    expect(cards.first.locator(".opened")).to_have_text("opened", timeout=PATIENCE_MS)
    expect(cards.nth(1).locator(".opened")).to_be_hidden()


def test_the_keyboard_does_everything_and_keeps_its_place(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = show_songs(page, analyzer, "blues")
    focused = (
        "() => { const root = document.activeElement.shadowRoot; return root?.activeElement?.ariaLabel; }"
    )
    like = cards.nth(3).get_by_role("button", name="I like this song")
    like.focus()
    page.keyboard.press("Space")
    expect(like).to_have_attribute("aria-pressed", "true", timeout=PATIENCE_MS)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    before = page.evaluate(focused)
    assert before.startswith("Show another song: ")
    page.keyboard.press("Enter")
    expect(cards.nth(3)).to_be_attached()
    page.wait_for_function(f"(before) => ({focused})() !== before", arg=before, timeout=PATIENCE_MS)
    assert page.evaluate(focused).startswith("Show another song: "), "in the row that took its place"
    expect(page.get_by_test_id("song-announcement")).to_have_text("New songs: 1")
    held = page.evaluate(focused)
    send_estimates(analyzer, "blues", 45, begin=60)  # the page is brought up to date meanwhile
    expect(page.locator(".aside")).to_contain_text("blues for one minute", timeout=PATIENCE_MS)
    assert page.evaluate(focused) == held


def test_another_language_says_everything_in_it(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = wait_until_open(open_tab("for_you", locale="ja-JP"), analyzer)
    cards = show_songs(page, analyzer, "metal")
    expect(page.locator(".aside")).to_contain_text("メタル")
    expect(cards.first.locator(".reason")).to_contain_text("が流れたため")
    expect(cards.first.get_by_role("button", name="この曲が好き")).to_be_visible()
    expect(page.get_by_test_id("songs")).to_have_attribute("lang", "ja")
    text = page.get_by_test_id("songs").locator(".side").inner_text()
    assert set(re.findall("[A-Za-z]+", text)) <= {"Spotify", "YouTube", "Overheard"}


def test_new_songs_fade_in_unless_motion_is_unwelcome(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = show_songs(page, analyzer, "disco")
    wanted: tuple[tuple[Literal["reduce", "no-preference"], str], ...]
    wanted = (("reduce", "none"), ("no-preference", "appear"))
    for motion, animation in wanted:
        page.emulate_media(reduced_motion=motion)
        assert cards.first.evaluate("(card) => getComputedStyle(card).animationName") == animation


def test_it_fits_every_width(open_tab: OpenTab, analyzer: FakeAnalyzer) -> None:
    page = wait_until_open(open_tab("for_you", viewport={"width": 390, "height": 1000}), analyzer)
    cards = show_songs(page, analyzer, "classical")
    lowest, asked = cards.last.bounding_box(), page.get_by_test_id("song-providers").bounding_box()
    assert lowest is not None
    assert asked is not None
    assert asked["y"] > lowest["y"], "who was asked comes after the songs where there is one column"
    for width, columns in ((390, 1), (1280, 2), (3840, 3)):
        page.set_viewport_size({"width": width, "height": 1000})
        page.evaluate(TWO_FRAMES)
        lefts = cards.evaluate_all(
            "(cards) => cards.map((card) => Math.round(card.getBoundingClientRect().left))"
        )
        assert len(set(lefts)) == columns
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        rights = cards.evaluate_all("(cards) => cards.map((card) => card.getBoundingClientRect().right)")
        assert max(rights) <= width
