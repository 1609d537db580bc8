"""Live page in a browser, with a scripted analyzer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard.i18n.translator import Translator
from realtime.protocol.estimate import StreamState
from tests.support.analyzer_server import FakeAnalyzer, health
from tests.support.browser import TWO_FRAMES, OpenTab, component_modules, open_live
from tests.support.genres import GENRES

PATIENCE_MS = 60_000
ENGLISH = Translator("en")


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
