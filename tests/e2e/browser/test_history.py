"""History page in a browser, with a scripted and with the real analyzer."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from tests.support.browser import TWO_FRAMES, OpenTab
from tests.support.history_server import TITLES, TOKEN, HistoryServer, evening
from tests.support.network import free_port

PATIENCE_MS = 60_000
REFRESH_MS = 60_000
"""The page refreshes every five seconds. Only a failure takes as long as this."""
MAX_DRAWN_MS = 500
SPEED = 4
"""The demonstration's five and a half minutes in a minute and a half."""


@pytest.fixture(scope="module", autouse=True)
def token() -> Iterator[None]:
    """Environment that ``overheard run`` gives the dashboard, set before it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERHEARD_TOKEN", TOKEN)
        yield


@pytest.fixture
def history(analyzer_port: int) -> Iterator[HistoryServer]:
    """A short session that runs, and one of yesterday."""
    now = time.time()
    sessions = [evening(9, 0.1, 12, running=True, ended=now, seed=5), evening(8, 2.0, 90, ended=now - 90_000)]
    for number, part in enumerate(sessions[0]["segments"]):  # nothing is left to the dice
        part.update(state="LISTENING", genre=("jazz", "rock", "pop")[number % 3], confidence=0.75)
    sessions[0]["events"] = [
        {"occurred_at": sessions[0]["segments"][0]["started"], "kind": "title", "detail": TITLES[3]},
        {
            "occurred_at": sessions[0]["segments"][1]["started"],
            "kind": "gap",
            "detail": "1 gap, 99 samples lost",
        },
    ]
    with HistoryServer(sessions, analyzer_port) as server:
        yield server


@pytest.fixture
def page(open_tab: OpenTab, history: HistoryServer) -> Page:
    page = open_tab("session")
    expect(timeline(page)).to_have_attribute("data-session", "9", timeout=60_000)
    return page


def timeline(page: Page) -> Locator:
    return page.get_by_test_id("timeline")


def bands(page: Page) -> Locator:
    return timeline(page).locator(".bands rect[data-number]")


def choose_band(page: Page, number: int) -> None:
    # The timeline's frame receives the click. With force, a band that is being replaced is looked up again.
    bands(page).locator(f"xpath=self::*[@data-number='{number}']").click(force=True)


def pick(page: Page, label: str, option: str | re.Pattern[str]) -> None:
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=option).click()


def test_the_timeline_shows_the_segments_and_names_them_to_screen_readers(
    page: Page, history: HistoryServer
) -> None:
    expect(bands(page)).to_have_count(12)
    genres = [each.get_attribute("data-genre") for each in bands(page).all()]
    assert genres == ["jazz", "rock", "pop"] * 4
    frame = page.get_by_role("slider", name="Timeline of genres")
    frame.focus()
    page.keyboard.press("Home")
    expect(frame).to_have_attribute("aria-valuetext", re.compile(r"^jazz, .*M, 0:\d\d, 75% sure$"))
    page.keyboard.press("ArrowRight")
    expect(frame).to_have_attribute("aria-valuetext", re.compile("^rock, "))
    shares = page.get_by_test_id("shares")
    expect(shares.locator("li")).to_have_count(3)
    expect(shares).to_contain_text("jazz")
    page.get_by_test_id("list").locator("summary").click()
    rows = page.get_by_test_id("list").locator("tbody tr")
    expect(rows).to_have_count(14)
    expect(rows.filter(has_text="Title")).to_contain_text(TITLES[3])
    assert timeline(page).locator("b, a").count() == 0, "what a station says is no markup"
    legend = timeline(page).get_by_test_id("legend").get_by_role("listitem")
    expect(legend.filter(has=page.locator(".swatch"))).to_have_text(["jazz", "pop", "rock"])


def test_the_times_are_the_reader_s(open_tab: OpenTab, history: HistoryServer) -> None:
    """Half past one in the afternoon in New York is half past three in the morning in Tokyo."""
    history.sessions[0].update(evening(9, 0.1, 12, ended=1_795_458_600.0) | {"running": False})
    american = open_tab("session", locale="en-US", timezone_id="America/New_York")
    japanese = open_tab("session", locale="ja-JP", timezone_id="Asia/Tokyo")
    expect(timeline(american).locator(".axis text").first).to_have_text(
        re.compile(r"^1:2\d:\d\d\sPM$"), timeout=60_000
    )
    expect(timeline(japanese).locator(".axis text").first).to_have_text(
        re.compile(r"^3:2\d:\d\d$"), timeout=60_000
    )
    expect(timeline(japanese).locator("h2")).to_have_text("タイムライン")


def test_a_label_is_corrected_and_the_correction_taken_back(page: Page, history: HistoryServer) -> None:
    choose_band(page, 2)
    expect(page.get_by_text("rock, 75%")).to_be_visible(timeout=PATIENCE_MS)
    save = page.get_by_role("button", name="Save the correction")
    expect(save).to_be_disabled()
    pick(page, "Right genre", "blues")
    expect(save).to_be_enabled(timeout=PATIENCE_MS)
    save.click()
    expect(page.get_by_text("The correction is saved, with its audio for training.")).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(page.get_by_text("session 9, segment 2")).to_have_count(0)
    expect(page.get_by_text("Corrected to: blues")).to_be_visible(timeout=PATIENCE_MS)
    expect(timeline(page).locator("rect.corrected")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("shares")).to_contain_text("blues", timeout=PATIENCE_MS)
    command = page.get_by_text("overheard history --export-corrections FOLDER")
    expect(command).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Undo the correction").click()
    expect(page.get_by_text("The correction is undone.")).to_be_visible(timeout=PATIENCE_MS)
    expect(timeline(page).locator("rect.corrected")).to_have_count(0, timeout=PATIENCE_MS)
    assert [each["genre"] for each in history.controls] == ["blues", None]


def test_a_segment_is_chosen_in_the_list_by_keyboard_alone(page: Page) -> None:
    page.get_by_test_id("list").locator("summary").press("Enter")
    button = page.get_by_test_id("list").get_by_role("button").nth(2)
    button.focus()
    button.press("Enter")
    expect(page.get_by_text("pop, 75%")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("list").locator("tr[aria-selected=true]")).to_have_count(1)


def test_the_running_session_grows_by_itself_and_keeps_the_selection(
    page: Page, history: HistoryServer
) -> None:
    """The part in view and the selected segment stay. An update of the session once selected it anew."""
    choose_band(page, 6)
    chosen = page.get_by_text("pop, 75%")
    expect(chosen).to_be_visible(timeout=PATIENCE_MS)
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    part = timeline(page).locator('[data-part="range"]')
    page.evaluate(TWO_FRAMES)
    before = part.inner_text()
    running = history.sessions[0]
    last = running["segments"][-1]
    longer = last | {"number": 13, "genre": "metal", "started": last["ended"], "ended": last["ended"] + 300}
    running["segments"].append(longer | {"seconds": 300.0})
    running["last_seen_at"] += 300
    expect(page.get_by_test_id("shares")).to_contain_text("metal", timeout=REFRESH_MS)
    assert part.inner_text() == before
    running.update(running=False, ended=running["last_seen_at"], seconds={"metal": 300.0})
    expect(page.get_by_test_id("stMain").get_by_role("combobox", name="Session")).to_have_value(
        re.compile("metal"), timeout=REFRESH_MS
    )
    expect(chosen).to_be_visible()
    page.get_by_role("button", name="Whole session").click()
    expect(bands(page)).to_have_count(13)


def test_a_row_of_the_list_stays_while_the_running_session_grows(page: Page, history: HistoryServer) -> None:
    """Regression: each refresh replaced all rows, and a press on a button was lost if one came meanwhile."""
    page.get_by_test_id("list").locator("summary").press("Enter")
    buttons = page.get_by_test_id("list").get_by_role("button")
    buttons.first.evaluate("(button) => { window.kept = button; }")
    before = buttons.count()
    running = history.sessions[0]
    last = running["segments"][-1]
    longer = last | {"number": 13, "genre": "metal", "started": last["ended"], "ended": last["ended"] + 300}
    running["segments"].append(longer | {"seconds": 300.0})
    expect(buttons).to_have_count(before + 1, timeout=REFRESH_MS)
    assert page.evaluate("window.kept.isConnected")


def test_a_past_session_stays_until_another_is_chosen(page: Page, history: HistoryServer) -> None:
    pick(page, "Session", re.compile("2 h 0 min"))
    expect(timeline(page)).to_have_attribute("data-session", "8", timeout=PATIENCE_MS)
    history.sessions.insert(0, evening(10, 0.1, 12, running=True))
    page.wait_for_timeout(6_000)  # one look
    expect(timeline(page)).to_have_attribute("data-session", "8")
    pick(page, "Session", re.compile("running now.*#9$"))
    expect(timeline(page)).to_have_attribute("data-session", "9", timeout=PATIENCE_MS)


def test_the_session_is_exported_as_it_is_by_then(page: Page, history: HistoryServer) -> None:
    segments = history.sessions[0]["segments"]
    segments.append(segments[-1] | {"number": 13, "started": segments[-1]["ended"], "ended": time.time()})
    expect(bands(page)).to_have_count(13, timeout=REFRESH_MS)
    with page.expect_download() as table:
        page.get_by_role("button", name="Table (CSV)").click()
    assert re.fullmatch(r"overheard-\d{4}-\d\d-\d\d-\d{4}-session-9\.csv", table.value.suggested_filename)
    rows = list(csv.DictReader(io.StringIO(Path(table.value.path()).read_text("utf-8-sig"), newline="")))
    assert [row["kind"] for row in rows].count("segment") == 13
    with page.expect_download() as whole:
        page.get_by_role("button", name="Everything (JSON)").click()
    assert len(json.loads(Path(whole.value.path()).read_text("utf-8"))["segments"]) == 13


WATCH_FADING = """async () => {
  const opacities = [];
  const end = performance.now() + 9000;
  while (performance.now() < end) {
    for (const each of document.querySelectorAll('[data-stale="true"]')) {
      opacities.push(Number(getComputedStyle(each).opacity));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return opacities;
}"""


def test_a_slow_refresh_does_not_fade_the_page(page: Page, history: HistoryServer) -> None:
    """Regression: texts fell below the contrast that makes them readable, as on any slow answer."""
    history.delay_seconds = 3.0
    opacities = page.evaluate(WATCH_FADING)
    assert opacities, "no refresh took longer than a moment"
    assert min(opacities) == 1


WATCH_STEPS = """() => {
  const shown = (text) => [...document.querySelectorAll("button")].some((b) => b.innerText.includes(text));
  window.bothSteps = 0;
  new MutationObserver(() => {
    if (shown("Delete the whole history") && shown("Delete everything")) window.bothSteps += 1;
  }).observe(document.body, { childList: true, subtree: true });
}"""


def test_the_steps_of_a_deletion_replace_each_other_at_once(page: Page) -> None:
    """Regression: what was left of a step vanished late, and the next button moved from under the pointer."""
    page.evaluate(WATCH_STEPS)
    for _ in range(3):
        page.get_by_role("button", name="Delete the whole history").click()
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_text("all sessions (2)")).to_be_hidden(timeout=PATIENCE_MS)
    assert page.evaluate("window.bothSteps") == 0


def test_everything_is_deleted_in_two_steps(page: Page, history: HistoryServer) -> None:
    page.get_by_role("button", name="Delete the whole history").click()
    expect(page.get_by_text("all sessions (2)")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("all sessions (2)")).to_be_hidden(timeout=PATIENCE_MS)
    assert len(history.sessions) == 2
    page.get_by_role("button", name="Delete the whole history").click()
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("The whole history has been deleted.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Nothing has been recorded yet.")).to_be_visible(timeout=PATIENCE_MS)
    assert history.sessions == []


def test_the_page_names_each_fault_and_recovers_by_itself(open_tab: OpenTab, analyzer_port: int) -> None:
    page = open_tab("session")
    expect(page.get_by_text("The analyzer is not reachable.")).to_be_visible(timeout=60_000)
    with HistoryServer([], analyzer_port, token="another-token-than-that"):
        expect(page.get_by_text("The analyzer rejects this page.")).to_be_visible(timeout=REFRESH_MS)
        expect(
            page.get_by_text("Message from the analyzer: this page requires the token; send the header")
        ).to_be_visible()
    with HistoryServer([], analyzer_port) as history:
        expect(page.get_by_text("Nothing has been recorded yet.")).to_be_visible(timeout=REFRESH_MS)
        history.path = None
        expect(page.get_by_text("The analyzer records no history.")).to_be_visible(timeout=REFRESH_MS)
        history.path = "/h"
        history.sessions.append(evening(1, 0.1, 12) | {"segments": [{"state": "DANCING"}]})
        expect(page.get_by_text("'DANCING'")).to_be_visible(timeout=REFRESH_MS)


def test_twelve_hours_of_3000_segments_are_drawn_at_once(page: Page, history: HistoryServer) -> None:
    history.sessions.insert(0, evening(11, running=True))
    expect(timeline(page)).to_have_attribute("data-session", "11", timeout=REFRESH_MS)
    page.evaluate(TWO_FRAMES)  # it is drawn in the frame after its number arrives
    count = bands(page).count()
    times = [drawn_ms(page)]
    for _ in range(6):
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_timeout(200)
        times.append(drawn_ms(page))
    print(f"3000 segments: {count} bands, drawn in {times} ms")
    assert 300 < count <= 2_000, f"{count} bands, where more than 300 fit, and at most 2000 can be seen"
    assert sorted(times)[len(times) // 2] < MAX_DRAWN_MS


def drawn_ms(page: Page) -> float:
    return float(timeline(page).get_attribute("data-drawn-ms") or "nan")


@pytest.fixture
def real_page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of ``overheard run`` on the demonstration."""
    port = free_port()
    arguments = ["run", "--source=demo", f"--speed={SPEED}", "--port=0", f"--dashboard-port={port}"]
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    environment.pop("OVERHEARD_TOKEN", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *arguments, "--no-browser"],
        start_new_session=True,
        env=environment,
    )
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, locale="en-US")
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                page.goto(f"http://127.0.0.1:{port}/session")
                break
            except Error:
                assert time.monotonic() < deadline, "the dashboard did not answer within 60 s"
                page.wait_for_timeout(200)
        yield page
    finally:
        page.close()
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_segment_of_the_demonstration_is_corrected_and_exported(real_page: Page, tmp_path: Path) -> None:
    page = real_page
    coloured = timeline(page).locator(".bands rect.sure")
    expect(coloured.nth(1)).to_be_attached(timeout=120_000)
    chosen: Any = coloured.first.evaluate("(band) => [band.dataset.number, band.dataset.genre]")
    number, genre = int(chosen[0]), str(chosen[1])
    right = "metal" if genre != "metal" else "blues"
    choose_band(page, number)
    pick(page, "Right genre", right)
    save = page.get_by_role("button", name="Save the correction")
    expect(save).to_be_enabled(timeout=PATIENCE_MS)
    save.click()
    expect(page.get_by_text("The correction is saved")).to_be_visible(timeout=PATIENCE_MS)
    band = timeline(page).locator(f".bands rect[data-number='{number}'][data-genre='{right}']")
    expect(band).to_be_attached(timeout=PATIENCE_MS)
    expect(page.get_by_text(re.compile("Corrections: 1."))).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as table:
        page.get_by_role("button", name="Table (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(Path(table.value.path()).read_text("utf-8-sig"), newline="")))
    (corrected,) = [row for row in rows if row["correction"]]
    assert (corrected["number"], corrected["genre"], corrected["correction"]) == (str(number), genre, right)
    folder = tmp_path / "set"
    arguments = ["history", "--export-corrections", str(folder)]
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "realtime.cli", *arguments], check=True, env=environment, timeout=60
    )
    assert [path.parent.name for path in folder.rglob("*.wav")] == [right]
