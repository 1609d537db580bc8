"""Live page in a browser, with a scripted analyzer."""

from __future__ import annotations

import math
import re
import time

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard.i18n.translator import Translator
from realtime.protocol.estimate import StreamState
from tests.support.analyzer_server import COLUMN_SECONDS, ROWS, FakeAnalyzer, health
from tests.support.browser import RED_NOW, TWO_FRAMES, OpenTab, component_modules, open_live
from tests.support.genres import GENRES

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


def test_genres_have_a_fixed_order_and_readable_names(page: Page, analyzer: FakeAnalyzer) -> None:
    rows = page.locator("[data-testid=bars] li")
    expect(rows).to_have_count(10, timeout=PATIENCE_MS)
    for label in ("hiphop", "classical"):
        analyzer.estimate(label)
        expect(page.get_by_test_id("genre")).to_have_text(label.replace("hiphop", "hip hop"))
        order = rows.evaluate_all("(items) => items.map((item) => item.dataset.genre)")
        assert tuple(order) == GENRES
    expect(rows.nth(4)).to_contain_text("hip hop")


@pytest.mark.parametrize("state", [StreamState.SILENT, StreamState.NOT_MUSIC])
def test_silence_and_talk_show_no_genre(page: Page, analyzer: FakeAnalyzer, state: StreamState) -> None:
    """Estimates in silence and talk have the last label, which the page must not show as playing."""
    analyzer.estimate("jazz")
    expect(page.get_by_test_id("genre")).to_have_text("jazz", timeout=PATIENCE_MS)
    expect(page.locator('li[data-genre="jazz"]')).to_contain_text("90%")
    analyzer.estimate("jazz", 0.9, state=state.value, level_dbfs=-40.0)
    analyzer.send("state", state=state.value, detail="")
    expect(page.get_by_test_id("state")).to_have_text(title_of(state))
    expect(page.get_by_test_id("genre")).to_have_attribute("data-label", "")
    expect(page.get_by_test_id("genre")).to_have_text(ENGLISH(f"live.state.{state}.headline"))
    expect(page.get_by_test_id("level")).to_contain_text("40 dBFS")
    expect(page.get_by_test_id("confidence")).to_have_text("")
    expect(page.locator('li[data-genre="jazz"]')).not_to_contain_text("%")


def test_an_unsure_estimate_shows_the_most_probable_genre(page: Page, analyzer: FakeAnalyzer) -> None:
    """The stable label may be that of a song that ended minutes ago."""
    analyzer.estimate("jazz", 0.38, state="UNSURE", stable_label="rock")
    expect(page.get_by_test_id("genre")).to_have_text("jazz?", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("confidence")).to_have_text("38%, only a guess")


def test_an_improbable_stable_genre_is_not_shown_as_sure(page: Page, analyzer: FakeAnalyzer) -> None:
    """After a change of genre the headline once showed the old genre with "3%, barely sure"."""
    analyzer.estimate("jazz", 0.95, stable_label="metal")
    expect(page.get_by_test_id("genre")).to_have_text("jazz?", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("confidence")).to_have_text("95%, only a guess")
    analyzer.estimate("metal", 0.49)
    expect(page.get_by_test_id("genre")).to_have_text("metal?")
    expect(page.get_by_test_id("confidence")).to_have_text("49%, only a guess")
    analyzer.estimate("metal", 0.51)
    expect(page.get_by_test_id("genre")).to_have_text("metal")
    expect(page.get_by_test_id("confidence")).to_have_text("51%, barely sure")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_state_has_texts(open_tab: OpenTab, analyzer: FakeAnalyzer, language: str) -> None:
    translator = Translator(language)
    page = open_live(open_tab, analyzer, locale=language)
    analyzer.estimate("jazz", 0.95)
    genre, advice = page.get_by_test_id("genre"), page.get_by_test_id("advice")
    expect(genre).to_have_text(translator.genre("jazz"), timeout=PATIENCE_MS)
    for state in sorted(set(StreamState) - {StreamState.LISTENING}):
        analyzer.send("state", state=state.value, detail=f"{state} <b>as it is</b>")
        expect(page.get_by_test_id("state")).to_have_text(title_of(state, translator), timeout=PATIENCE_MS)
        expect(page.get_by_test_id("detail")).to_have_text(f"{state} <b>as it is</b>")
        expect(advice).to_have_text(translator(f"live.state.{state}.advice"))
        guess = translator("live.guess", genre=translator.genre("jazz"))
        unsure = state is StreamState.UNSURE
        expect(genre).to_have_text(guess if unsure else translator(f"live.state.{state}.headline"))
    analyzer.stop()
    expect(page.get_by_test_id("state")).to_have_text(title_of("AWAY", translator), timeout=PATIENCE_MS)
    expect(genre).to_have_text(translator("live.state.AWAY.headline"))
    assert page.evaluate("document.documentElement.lang") == language
    assert page.locator(".live").get_attribute("lang") == language


def test_another_version_is_named_with_the_remedy(page: Page, analyzer: FakeAnalyzer) -> None:
    analyzer.send_raw('{"type": "hello", "version": 1, "device": {"source": "elsewhere"}}')
    expect(page.get_by_test_id("state")).to_have_text(title_of("MISMATCH"), timeout=PATIENCE_MS)
    expect(page.get_by_test_id("advice")).to_contain_text("Install the same version")


def test_late_estimate_does_not_undo_the_end(page: Page, analyzer: FakeAnalyzer) -> None:
    """The server queues each type of message by itself, so ``seq`` decides which state is newer."""
    analyzer.send("state", state="ENDED", detail="", seq=500)
    analyzer.estimate("pop", seq=499)
    analyzer.send("health", **health(gaps=2))
    expect(page.get_by_test_id("losses")).to_have_text("Gaps: 2", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("state")).to_have_text("The file has ended")


def test_losses_and_latency_are_shown(page: Page, analyzer: FakeAnalyzer) -> None:
    analyzer.estimate("pop", latency_ms=87.4)
    analyzer.send("health", **health(gaps=1, samples_lost=4410, windows_skipped=3))
    expect(page.get_by_test_id("latency")).to_have_text("Latency 87 ms", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("losses")).to_have_text("Gaps: 1, Samples lost: 4,410, Results skipped: 3")
    expect(page.get_by_test_id("model")).to_have_text("Model genre 1.0 on LiteRT int8")


def test_the_title_of_a_station_is_shown_in_the_card(page: Page, analyzer: FakeAnalyzer) -> None:
    analyzer.send("title", title="Take Five")
    expect(page.locator(".card").get_by_test_id("title")).to_contain_text("Take Five")
    expect(page.get_by_test_id("artist")).to_be_empty()
    analyzer.send("title", title="")
    expect(page.get_by_test_id("title")).to_have_text("")


def test_song_and_artist_are_shown_apart_if_they_are_known(page: Page, analyzer: FakeAnalyzer) -> None:
    analyzer.send("title", title="Miles Davis - So What", artist="Miles Davis", song="So What")
    expect(page.get_by_test_id("song")).to_have_text("So What")
    expect(page.get_by_test_id("artist")).to_have_text("Miles Davis")
    song, artist = (page.get_by_test_id(name).bounding_box() for name in ("song", "artist"))
    expect(page.get_by_test_id("title")).to_have_attribute("title", "Miles Davis - So What")
    assert song is not None
    assert artist is not None
    assert artist["y"] >= song["y"] + song["height"] - 1, "the artist must be below the song"
    analyzer.send("title", title="News")
    expect(page.get_by_test_id("song")).to_have_text(
        "\N{LEFT DOUBLE QUOTATION MARK}News\N{RIGHT DOUBLE QUOTATION MARK}"
    )
    expect(page.get_by_test_id("artist")).to_be_empty()


def test_page_recovers_when_the_analyzer_comes_back(page: Page, analyzer: FakeAnalyzer) -> None:
    analyzer.estimate("reggae")
    expect(page.get_by_test_id("genre")).to_have_text("reggae", timeout=PATIENCE_MS)
    analyzer.stop()
    expect(page.get_by_test_id("state")).to_have_text(title_of("AWAY"))
    expect(page.get_by_test_id("genre")).to_have_attribute("data-label", "")
    expect(page.get_by_test_id("advice")).to_contain_text("Restart it with “overheard run”")
    expect(page.get_by_test_id("detail")).to_contain_text(
        f"--allow-origin {page.evaluate('location.origin')}"
    )
    expect(page.get_by_test_id("latency")).to_have_text("")
    with FakeAnalyzer(analyzer.port, source="Second analyzer") as second:
        expect(page.get_by_test_id("source")).to_have_text("Second analyzer", timeout=PATIENCE_MS)
        second.estimate("metal")
        expect(page.get_by_test_id("genre")).to_have_text("metal")


def test_of_several_sources_the_page_follows_the_first(page: Page, analyzer: FakeAnalyzer) -> None:
    first = analyzer.source
    analyzer.estimate("jazz")
    expect(page.get_by_test_id("genre")).to_have_text("jazz", timeout=PATIENCE_MS)
    analyzer.source = "another"
    analyzer.hello()
    analyzer.estimate("metal")
    analyzer.send("state", state="FAILED", detail="of another source")
    analyzer.source = first
    analyzer.send("health", **health(gaps=2))
    expect(page.get_by_test_id("losses")).to_have_text("Gaps: 2")
    expect(page.get_by_test_id("genre")).to_have_text("jazz")
    expect(page.get_by_test_id("source")).to_have_text(first)
    expect(page.get_by_test_id("state")).to_have_text(title_of("LISTENING"))


@pytest.mark.parametrize("token", ["", "a-token-of-the-tests"])
def test_the_browser_sends_version_and_token_as_protocols(browser: Browser, token: str) -> None:
    """The token must not be part of the address, which logs contain."""
    connect = """async ([url, token]) => {
      const { AnalyzerConnection } = await import("./live/connection.js");
      window.types = [];
      const onMessage = (message) => window.types.push(message.type);
      new AnalyzerConnection(url, { onMessage, onLost: () => {}, mayBeSilent: () => true }, token);
    }"""
    page = browser.new_page()
    with component_modules() as address, FakeAnalyzer() as fake:
        page.goto(address)
        page.evaluate(connect, [fake.url, token])
        page.wait_for_function("window.types.includes('hello')", timeout=PATIENCE_MS)
        assert fake.request_paths == ["/"]
        offered = ", ".join(fake.headers[0].get_all("Sec-WebSocket-Protocol"))
    page.close()
    assert offered == ("overheard.2, overheard.token." + token if token else "overheard.2")


def test_hostile_text_is_shown_as_text(page: Page, analyzer: FakeAnalyzer) -> None:
    hostile = '<img src=x onerror="window.broken=1"> **bold** $x$ :rainbow:'
    analyzer.stop()  # a page follows the source of the first hello
    with FakeAnalyzer(analyzer.port, source=hostile) as second:
        expect(page.get_by_test_id("source")).to_have_text(hostile, timeout=PATIENCE_MS)
        for text in ("no json", "[]", '{"type":"estimate","version":2}', '{"type":"__proto__","version":2}'):
            second.send_raw(text)
        second.estimate("<b>x</b>", 0.8)
        expect(page.get_by_test_id("genre")).to_have_text("<b>x</b>")
    assert page.evaluate("window.broken") is None
    assert page.locator("[data-testid=source] img, [data-testid=genre] b").count() == 0


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


def test_another_language_changes_all_texts_and_keeps_the_timeline(
    page: Page, analyzer: FakeAnalyzer
) -> None:
    russian = Translator("ru")
    analyzer.estimate("rock", 0.92)
    expect(page.get_by_test_id("genre")).to_have_text("rock", timeout=PATIENCE_MS)
    page.get_by_test_id("timeline").evaluate("(canvas) => { window.canvas = canvas; }")
    languages = page.get_by_role("combobox")
    languages.evaluate("(box) => box.scrollIntoView({ block: 'center' })")
    page.evaluate(TWO_FRAMES)  # scrolling closes the list, so it must end before the click
    languages.click()
    page.get_by_role("option", name="Русский").click()
    expect(page.get_by_test_id("genre")).to_have_text("рок", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("state")).to_have_text(title_of("LISTENING", russian))
    expect(page.get_by_test_id("confidence")).to_have_text("92\N{NO-BREAK SPACE}%, очень высокая уверенность")
    expect(page.get_by_test_id("bars").locator("li").last).to_have_text(
        russian.genre("rock") + "92\N{NO-BREAK SPACE}%"
    )
    assert page.get_by_test_id("timeline").evaluate("(canvas) => window.canvas === canvas")
    page.wait_for_function("document.documentElement.lang === 'ru'", timeout=PATIENCE_MS)


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_nothing_is_wider_than_the_window(open_tab: OpenTab, analyzer: FakeAnalyzer, locale: str) -> None:
    analyzer.source = "https://radio.example/" + "a-long-name" * 12
    page = open_live(open_tab, analyzer, locale=locale, viewport={"width": 320, "height": 900})
    analyzer.estimate("classical", 0.92)
    analyzer.send("title", title="A" * 200, artist="B" * 200, song="A" * 200)
    expect(page.get_by_test_id("genre")).to_have_attribute("data-label", "classical", timeout=PATIENCE_MS)
    for width in (320, 390, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        for wide in (page.locator("html"), page.locator("[data-testid=stMain]"), page.locator(".live")):
            assert_no_wider(wide)
        genre = page.get_by_test_id("genre").bounding_box()
        assert genre is not None
        assert genre["x"] + genre["width"] <= width


def assert_no_wider(element: Locator) -> None:
    inside, outside = element.evaluate("(element) => [element.scrollWidth, element.clientWidth]")
    assert inside <= outside


def test_dark_and_light_are_both_readable_and_can_be_chosen(
    open_tab: OpenTab, analyzer: FakeAnalyzer
) -> None:
    page = open_live(open_tab, analyzer, color_scheme="dark")
    colour = "(element) => getComputedStyle(element).color"
    expect(page.get_by_test_id("genre")).to_be_visible()
    assert page.locator(".live").evaluate(colour) == "rgb(236, 234, 228)"
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    page.get_by_role("menuitemradio", name="Light").click()
    expect(page.locator(".live")).to_have_css("color", "rgb(27, 29, 34)", timeout=PATIENCE_MS)
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    expect(page.get_by_text("Made with Streamlit")).to_be_hidden()
    expect(page.get_by_text("Record screen")).to_be_hidden()


def test_a_change_of_genre_is_not_animated_if_reduced_motion_is_set(
    open_tab: OpenTab, analyzer: FakeAnalyzer
) -> None:
    animated = "(element) => element.getAnimations({ subtree: true }).length"
    page = open_live(open_tab, analyzer, reduced_motion="reduce")
    for label in ("jazz", "metal"):
        analyzer.estimate(label)
        expect(page.get_by_test_id("genre")).to_have_text(label, timeout=PATIENCE_MS)
    assert page.locator(".live").evaluate(animated) == 0
    page.emulate_media(reduced_motion="no-preference")
    analyzer.estimate("jazz")
    expect(page.get_by_test_id("genre")).to_have_text("jazz", timeout=PATIENCE_MS)
    assert page.locator(".live").evaluate(animated) > 0


def test_muting_the_songs_applies_to_every_page(page: Page, analyzer: FakeAnalyzer) -> None:
    songs = page.get_by_test_id("next")
    expect(songs).to_contain_text("Songs appear here after 30 seconds of music.", timeout=PATIENCE_MS)
    analyzer.wait_for_clients(2)
    for second in range(60):
        analyzer.estimate("reggae", 0.99, end_seconds=float(second + 5))
    expect(songs.get_by_role("link")).to_have_count(6, timeout=PATIENCE_MS)
    expect(songs.locator("li").first.get_by_role("link")).to_have_text(["Spotify", "YouTube"])
    assert all(
        address.startswith(("https://open.spotify.com/search/", "https://www.youtube.com/results?"))
        for address in songs.get_by_role("link").evaluate_all("(links) => links.map((link) => link.href)")
    )
    page.get_by_text(ENGLISH("live.mute")).click()
    expect(songs).to_contain_text(ENGLISH("live.muted"), timeout=PATIENCE_MS)
    expect(songs.get_by_role("link")).to_have_count(0)
    page.get_by_role("link", name=ENGLISH("common.page.session")).click()
    page.get_by_role("link", name=ENGLISH("common.page.live")).click()
    expect(songs).to_contain_text(ENGLISH("live.muted"), timeout=PATIENCE_MS)


def title_of(state: str, translator: Translator = ENGLISH) -> str:
    return translator(f"live.state.{state}.title")
