"""Muted output of a real PulseAudio server on the live page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dashboard.i18n.translator import Translator
from tests.support.audio import noise, tone, write
from tests.support.browser import OpenTab
from tests.support.sound_servers import SoundServer, run_listen, sound_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

ENGLISH = Translator("en")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    samples = 0.3 * tone(440, 120, 22_050) + 0.1 * noise(120 * 22_050)
    music = write(tmp_path / "music.wav", samples, 22_050)
    with sound_server(tmp_path, "pulseaudio") as started:
        started.play(music)
        yield started


def test_the_page_says_that_the_output_is_muted_and_when_it_is_not(
    server: SoundServer, address: str, analyzer_port: int, open_tab: OpenTab
) -> None:
    options = ["--source", "system", "--port", str(analyzer_port), "--allow-origin", address]
    with run_listen(server.environment, *options):
        page = open_tab()
        state = page.get_by_test_id("state")
        muted = ENGLISH("live.state.MUTED.title")
        server.run("pactl", "set-sink-mute", "speakers", "1")
        expect(state).to_have_text(muted)
        expect(page.get_by_test_id("genre")).to_have_text("muted")
        expect(page.get_by_test_id("advice")).to_have_text(ENGLISH("live.state.MUTED.advice"))
        expect(page.get_by_test_id("detail")).to_contain_text("pactl set-sink-mute speakers 0")
        expect(page.get_by_test_id("level")).to_contain_text("dBFS")  # estimates arrive, and change nothing
        server.run("pactl", "set-sink-mute", "speakers", "0")
        expect(state).not_to_have_text(muted)
        expect(page.get_by_test_id("detail")).to_have_text("")
