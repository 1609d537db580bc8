"""Recommendations page in a browser, with fake Spotify and YouTube that respond, misbehave or hang."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.analyzer_server import FakeAnalyzer
from tests.support.browser import LOCAL, PATIENCE_MS, Tabs, cards_of, opened, play, titles_of
from tests.support.services.all import Services, running
from tests.support.services.spotify import error_response
from tests.support.services.youtube import library

PICTURES = re.compile(r"^https://(i\.scdn\.co|i\.ytimg\.com)/")
HOSTILE = (
    "<img src=x onerror='window.broken=1'><b>bold</b>",
    "🎷🎺 {title} $& `**md**` [x](javascript:alert(1))",
    "\N{HEBREW LETTER SHIN}\N{HEBREW LETTER YOD}\N{HEBREW LETTER RESH} \N{ARABIC LETTER ALEF} 12",
    "long " * 100,
    "W" * 500,
)


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress((b"\0" + b"\x40\x80\xa0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.fixture(scope="module", autouse=True)
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Before the dashboard starts, which takes their addresses and keys from the environment."""
    folder: Path = tmp_path_factory.mktemp("services")
    with running(folder) as both, pytest.MonkeyPatch.context() as patch:
        both.youtube.videos = library(datetime.now(UTC))
        for name, value in (both.environment | {"no_proxy": "*"}).items():
            patch.setenv(name, value)
        yield both


@pytest.fixture
def open_page(tabs: Tabs, address: str, analyzer: FakeAnalyzer) -> Iterator[Callable[..., Page]]:
    """Opens the page in a language; pictures come from here, and any other foreign address fails the test."""

    def picture(route: Route) -> None:
        size = (300, 300) if "scdn" in route.request.url else (320, 180)
        route.fulfill(body=png(*size), content_type="image/png")

    def open_one(locale: str, answer: Callable[[Route], None] = picture) -> Page:
        page = tabs.open("about:blank", locale=locale)
        page.context.route(PICTURES, answer)
        page.goto(f"{address}/for_you")
        return opened(page, analyzer)

    yield open_one
    elsewhere = [each for each in tabs.requests if not LOCAL.match(each.url)]
    assert [each.url for each in elsewhere if not PICTURES.match(each.url)] == []
    assert not any("referer" in each.headers for each in elsewhere), "no service is told whose page it is"


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """In English."""
    return open_page("en-US")


def test_songs_come_with_their_pictures_and_lead_back(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = cards_of(page, analyzer, "jazz")
    for provider in ("Spotify", "YouTube"):
        expect(page.get_by_test_id("song-providers")).to_contain_text(provider)
        card = cards.filter(has_text=f"From {provider}").first
        picture = card.locator(".artwork img")
        expect(picture).to_have_js_property("complete", True, timeout=PATIENCE_MS)
        assert picture.evaluate("(img) => [img.naturalWidth > 0, img.loading, img.referrerPolicy]") == [
            True, "lazy", "no-referrer",
        ]  # fmt: skip
        own = card.get_by_role("link", name=re.compile(f" on {provider}$")).get_attribute("href")
        assert card.locator(".artwork").get_attribute("href") == own, "the picture leads to its own song"
        assert PICTURES.match(picture.get_attribute("src") or "")
    boxes = cards.locator(".artwork:not([hidden])").evaluate_all(
        "(arts) => arts.map((art) => [art.offsetWidth, art.offsetHeight])"
    )
    assert boxes == [[88, 88]] * len(boxes), "whatever a picture's own size is"
    expect(page.get_by_test_id("song-providers")).to_contain_text(re.compile(r"Songs: \d+\."))


def test_a_picture_that_does_not_come_leaves_its_room_to_the_song(
    open_page: Callable[..., Page], analyzer: FakeAnalyzer
) -> None:
    page = open_page("en-GB", lambda route: route.abort())  # a browser that keeps no pictures of other tests
    cards = cards_of(page, analyzer, "blues")
    named = cards.filter(has=page.locator(".from:not([hidden])"))
    expect(named.locator(".artwork[hidden]")).not_to_have_count(0, timeout=PATIENCE_MS)


def test_a_muted_page_asks_nobody_on_whichever_page_it_is(
    page: Page, analyzer: FakeAnalyzer, services: Services
) -> None:
    cards = cards_of(page, analyzer, "reggae")
    switch = page.get_by_role("switch", name="Mute recommendations")
    page.get_by_test_id("stCheckbox").locator("label").click()
    expect(page.get_by_test_id("song-muted")).to_contain_text("no service is searched", timeout=PATIENCE_MS)
    expect(cards.locator(".artwork img")).to_have_count(0)
    genre = page.get_by_test_id("songs").get_attribute("data-genre")
    titles, asked = titles_of(cards), (len(services.spotify.requests), len(services.youtube.asked))
    play(analyzer, "metal", 120, begin=60)
    cards.first.get_by_role("button", name="Show another song").click()
    expect(cards.first.locator(".title")).not_to_have_text(titles[0], timeout=PATIENCE_MS)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_test_id("songs")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="For you").click()
    expect(switch).to_be_checked(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("songs")).to_have_attribute("data-genre", genre or "")
    assert (len(services.spotify.requests), len(services.youtube.asked)) == asked
    page.get_by_test_id("stCheckbox").locator("label").click()
    play(analyzer, "metal", 60, begin=180)
    expect(page.locator(".aside")).to_contain_text("metal", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("song-muted")).to_be_hidden()


def test_hostile_titles_stay_texts(page: Page, analyzer: FakeAnalyzer, services: Services) -> None:
    rows = [row for row in services.spotify.rows if row["_genres"] == ["classical"]]
    for row, title in zip(rows, HOSTILE, strict=False):
        row["name"] = title
        row["artists"] = [row["artists"][0] | {"name": f"{title} {row['id']}"}]
    page.set_viewport_size({"width": 390, "height": 844})
    cards = cards_of(page, analyzer, "classical", seconds=120)
    expect(page.locator(".aside")).to_contain_text("classical", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Other songs").click()  # what other tests played is no matter any more
    for begin in ("<img src=x onerror", "W" * 40):
        expect(cards.filter(has_text=begin)).not_to_have_count(0, timeout=PATIENCE_MS)
    shown = titles_of(cards)
    assert sum(text[:8] in {title[:8] for title in HOSTILE} for text in shown) >= 3, shown
    assert page.evaluate("window.broken") is None
    assert cards.locator("b, .title img, .artist img").count() == 0
    rights = cards.evaluate_all("(cards) => cards.map((card) => card.getBoundingClientRect().right)")
    assert max(rights) <= 390
    heights = cards.evaluate_all("(cards) => cards.map((card) => card.offsetHeight)")
    assert max(heights) < 400, "a title of 500 letters must not take the page"
    odd = cards.filter(has_text="W" * 20).first
    odd.get_by_role("button", name="Never show this artist").click()
    box = page.get_by_test_id("choices")
    box.locator("summary").click()
    expect(box.locator("li .name").first).to_contain_text("WWWW", timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("locale", "genre", "sentences"),
    [
        ("en-US", "disco", ["Too many requests. Next request in", "The key was rejected"]),
        (
            "ru-RU",
            "rock",
            ["Слишком много запросов. Следующий запрос через:", "Ключ отклонён. Проверьте"],
        ),
    ],
)
def test_a_provider_that_is_down_is_told_and_the_bundled_list_fills_in(
    open_page: Callable[..., Page],
    analyzer: FakeAnalyzer,
    services: Services,
    locale: str,
    genre: str,
    sentences: list[str],
) -> None:
    """The last of the module: both services are left alone for minutes after it."""
    services.spotify.faults["/v1/search"] = error_response(429, "Too many requests", Retry_After="300")
    services.youtube.faults["search"] = (
        '400 {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", '
        '"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}'
    )
    page = open_page(locale)
    cards_of(page, analyzer, genre)
    for sentence in sentences:
        expect(page.get_by_test_id("song-providers")).to_contain_text(sentence, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("song-providers").locator(".fault")).to_have_count(2)
