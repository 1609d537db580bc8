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
from tests.support.browser import (
    LOCAL,
    PATIENCE_MS,
    Tabs,
    read_titles,
    send_estimates,
    show_songs,
    wait_until_open,
)
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
    """Return a picture of one color."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress((b"\0" + b"\x40\x80\xa0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.fixture(scope="module", autouse=True)
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services whose addresses and keys are in the environment before the dashboard starts."""
    folder: Path = tmp_path_factory.mktemp("services")
    with running(folder) as started, pytest.MonkeyPatch.context() as patch:
        started.youtube.videos = library(datetime.now(UTC))
        for name, value in (started.environment | {"no_proxy": "*"}).items():
            patch.setenv(name, value)
        yield started


@pytest.fixture
def open_page(tabs: Tabs, address: str, analyzer: FakeAnalyzer) -> Iterator[Callable[..., Page]]:
    """Function that opens the page with pictures of the test. Any other request to a host fails the test."""

    def picture(route: Route) -> None:
        size = (300, 300) if "scdn" in route.request.url else (320, 180)
        route.fulfill(body=png(*size), content_type="image/png")

    def open_one(locale: str, answer: Callable[[Route], None] = picture) -> Page:
        page = tabs.open("about:blank", locale=locale)
        page.context.route(PICTURES, answer)
        page.goto(f"{address}/for_you")
        return wait_until_open(page, analyzer)

    yield open_one
    elsewhere = [each for each in tabs.requests if not LOCAL.match(each.url)]
    assert [each.url for each in elsewhere if not PICTURES.match(each.url)] == []
    assert not any("referer" in each.headers for each in elsewhere), "a request must not name the page"


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """Page in English."""
    return open_page("en-US")


def test_songs_have_pictures_that_link_to_them(page: Page, analyzer: FakeAnalyzer) -> None:
    cards = show_songs(page, analyzer, "jazz")
    for provider in ("Spotify", "YouTube"):
        expect(page.get_by_test_id("song-providers")).to_contain_text(provider)
        card = cards.filter(has_text=f"From {provider}").first
        picture = card.locator(".artwork img")
        expect(picture).to_have_js_property("complete", True, timeout=PATIENCE_MS)
        assert picture.evaluate("(img) => [img.naturalWidth > 0, img.loading, img.referrerPolicy]") == [
            True, "lazy", "no-referrer",
        ]  # fmt: skip
        own = card.get_by_role("link", name=re.compile(f" on {provider}$")).get_attribute("href")
        assert card.locator(".artwork").get_attribute("href") == own, "the picture must link to its song"
        assert PICTURES.match(picture.get_attribute("src") or "")
    boxes = cards.locator(".artwork:not([hidden])").evaluate_all(
        "(arts) => arts.map((art) => [art.offsetWidth, art.offsetHeight])"
    )
    assert boxes == [[88, 88]] * len(boxes), "pictures must be shown in one size"
    expect(page.get_by_test_id("song-providers")).to_contain_text(re.compile(r"Songs: \d+\."))


def test_a_missing_picture_takes_no_space(open_page: Callable[..., Page], analyzer: FakeAnalyzer) -> None:
    page = open_page(
        "en-GB", lambda route: route.abort()
    )  # another locale has a browser without cached pictures
    cards = show_songs(page, analyzer, "blues")
    # The services of the test have four artists, which the songs of another test may have used up.
    page.get_by_role("button", name="Other songs").click()
    named = cards.filter(has=page.locator(".from:not([hidden])"))
    expect(named.locator(".artwork[hidden]")).not_to_have_count(0, timeout=PATIENCE_MS)


def test_a_muted_dashboard_searches_no_service(
    page: Page, analyzer: FakeAnalyzer, services: Services
) -> None:
    cards = show_songs(page, analyzer, "reggae")
    switch = page.get_by_role("switch", name="Mute recommendations")
    page.get_by_test_id("stCheckbox").locator("label").click()
    expect(page.get_by_test_id("song-muted")).to_contain_text("no service is searched", timeout=PATIENCE_MS)
    expect(cards.locator(".artwork img")).to_have_count(0)
    genre = page.get_by_test_id("songs").get_attribute("data-genre")
    titles, asked = read_titles(cards), (len(services.spotify.requests), len(services.youtube.asked))
    send_estimates(analyzer, "metal", 120, begin=60)
    cards.first.get_by_role("button", name="Show another song").click()
    expect(cards.first.locator(".title")).not_to_have_text(titles[0], timeout=PATIENCE_MS)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_test_id("songs")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="For you").click()
    expect(switch).to_be_checked(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("songs")).to_have_attribute("data-genre", genre or "")
    assert (len(services.spotify.requests), len(services.youtube.asked)) == asked
    page.get_by_test_id("stCheckbox").locator("label").click()
    send_estimates(analyzer, "metal", 60, begin=180)
    expect(page.locator(".aside")).to_contain_text("metal", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("song-muted")).to_be_hidden()


def test_hostile_titles_stay_text(page: Page, analyzer: FakeAnalyzer, services: Services) -> None:
    rows = [row for row in services.spotify.rows if row["_genres"] == ["classical"]]
    for row, title in zip(rows, HOSTILE, strict=False):
        row["name"] = title
        row["artists"] = [row["artists"][0] | {"name": f"{title} {row['id']}"}]
    page.set_viewport_size({"width": 390, "height": 844})
    cards = show_songs(page, analyzer, "classical", seconds=120)
    expect(page.locator(".aside")).to_contain_text("classical", timeout=PATIENCE_MS)
    for begin in ("<img src=x onerror", "W" * 40):
        expect(cards.filter(has_text=begin)).not_to_have_count(0, timeout=PATIENCE_MS)
    shown = read_titles(cards)
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
def test_failing_providers_are_named_and_the_bundled_list_replaces_them(
    open_page: Callable[..., Page],
    analyzer: FakeAnalyzer,
    services: Services,
    locale: str,
    genre: str,
    sentences: list[str],
) -> None:
    """The last test of the module, because started services are then not searched for minutes."""
    services.spotify.faults["/v1/search"] = error_response(429, "Too many requests", Retry_After="300")
    services.youtube.faults["search"] = (
        '400 {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", '
        '"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}'
    )
    page = open_page(locale)
    show_songs(page, analyzer, genre)
    for sentence in sentences:
        expect(page.get_by_test_id("song-providers")).to_contain_text(sentence, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("song-providers").locator(".fault")).to_have_count(2)
