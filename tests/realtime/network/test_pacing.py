"""Pacing of streams that send faster than real time."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

from realtime.clock import SystemClock
from realtime.network.source import LEAD_SECONDS, Pacer, StreamSource
from tests.support.audio import tone, write
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import RATE, take_blocks


def test_a_burst_is_played_in_real_time_after_a_lead() -> None:
    pacer = Pacer(10, lead_seconds=1.0)
    assert pacer.due() == -math.inf
    dues = []
    for _ in range(5):
        due = max(100.0, pacer.due())  # the whole burst is there at 100 s
        dues.append(due)
        pacer.add(5, due)
    assert dues == [100.0, 100.0, 100.0, 100.5, 101.0]


def test_after_a_silence_at_most_the_lead_is_played_at_once() -> None:
    """A stream that was silent for a minute must not play faster because its server buffered audio."""
    pacer = Pacer(10, lead_seconds=1.0)
    pacer.add(10, 100.0)
    dues = []
    for _ in range(5):
        due = max(160.0, pacer.due())
        dues.append(due)
        pacer.add(5, due)
    assert dues == [160.0, 160.0, 160.0, 160.5, 161.0]


def test_sound_that_comes_in_time_is_passed_on_at_once() -> None:
    pacer = Pacer(10)
    for now in (100.0, 100.5, 101.0, 101.6):
        assert pacer.due() <= now
        pacer.add(5, now)


def test_a_station_that_sends_everything_at_once_is_paced(tmp_path: Path) -> None:
    sound = write(tmp_path / "t.mp3", tone(440, 20, RATE), RATE, "libmp3lame").read_bytes()
    with web_server(
        {"live": Answer(sound, headers={"icy-name": "Burst"}, length=False, hang=True)}
    ) as server:
        clock = SystemClock()
        with closing(StreamSource(server.url("live"), clock)) as source:
            began = clock.monotonic()
            for block in take_blocks(source.blocks(), 1.8):
                ahead = (block.position + len(block.samples)) / RATE - (block.captured_at - began)
                assert ahead < LEAD_SECONDS + 2 * len(block.samples) / RATE + 0.01
