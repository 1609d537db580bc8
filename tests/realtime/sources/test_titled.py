"""Titles of media players on captured audio: when they appear, and when they are removed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.audio.samples import Samples, sanitize_samples
from realtime.audio.source import AudioBlock
from realtime.now_playing import Song
from realtime.protocol.health import SourceStatus
from realtime.sources.titled import TitledSource
from tests.support.audio import tone

SO_WHAT, GREEN = Song("So What", "Miles Davis"), Song("Blue in Green", "Miles Davis")
LOUD, QUIET = sanitize_samples(tone(300, 0.5)), sanitize_samples(np.zeros(11_025, np.float32))
NOTHING = sanitize_samples(np.zeros(0, np.float32))


class Captured:
    """Source that yields a block every half second, and the song that is reported at that time."""

    name, sample_rate, is_live = "system audio", 22_050, True

    def __init__(self, *script: tuple[Samples, Song | None]) -> None:
        self._script = script
        self.song: Song | None = None
        self.closed = 0

    def blocks(self) -> Iterator[AudioBlock]:
        position = 0
        for number, (samples, song) in enumerate(self._script):
            self.song = song
            yield AudioBlock(samples, position, self.sample_rate, 100.0 + number / 2)
            position += len(samples)

    def status(self) -> SourceStatus:
        return SourceStatus("speakers", reconnects=3)

    def close(self) -> None:
        self.closed += 1


def titles(*script: tuple[Samples, Song | None]) -> list[str]:
    """Return the title after each block."""
    captured = Captured(*script)
    source = TitledSource(captured, captured)
    assert source.status().title == ""
    return [source.status().title for _ in source.blocks()]


def test_the_title_follows_the_player() -> None:
    assert titles((LOUD, None), (LOUD, SO_WHAT), (LOUD, GREEN)) == [
        "", "Miles Davis - So What", "Miles Davis - Blue in Green",
    ]  # fmt: skip


def test_a_title_has_its_parts_if_the_player_names_the_artist() -> None:
    captured = Captured((LOUD, SO_WHAT), (LOUD, Song("Miles Davis - So What (Live)")))
    source = TitledSource(captured, captured)
    statuses = [source.status() for _ in source.blocks()]
    assert statuses == [
        SourceStatus("speakers", "Miles Davis - So What", "Miles Davis", "So What", reconnects=3),
        SourceStatus("speakers", "Miles Davis - So What (Live)", reconnects=3),
    ]


def test_a_pause_between_songs_removes_no_title() -> None:
    shown = titles((LOUD, SO_WHAT), *[(LOUD, None)] * 4, (LOUD, GREEN))
    assert shown == ["Miles Davis - So What"] * 5 + ["Miles Davis - Blue in Green"]


def test_a_player_that_stopped_has_no_title() -> None:
    assert titles((LOUD, SO_WHAT), *[(LOUD, None)] * 5)[-1] == ""


@pytest.mark.parametrize("silence", [QUIET, NOTHING], ids=["silence", "no audio"])
def test_a_player_that_is_not_heard_has_no_title(silence: Samples) -> None:
    """The player is muted, hangs, or plays on another device."""
    assert set(titles(*[(silence, SO_WHAT)] * 10)) == {""}
    shown = titles((LOUD, SO_WHAT), *[(silence, SO_WHAT)] * 21, (LOUD, SO_WHAT))
    assert shown == ["Miles Davis - So What"] * 21 + ["", "Miles Davis - So What"]


def test_source_and_reader_are_closed() -> None:
    captured = Captured()
    TitledSource(captured, captured).close()
    assert captured.closed == 2
