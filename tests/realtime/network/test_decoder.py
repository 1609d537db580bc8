"""The process that decodes a stream, and its crashes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from realtime.audio.source import AudioSource
from realtime.clock import SystemClock
from realtime.errors import SourceCrashError
from realtime.network.source import StreamSource
from realtime.sources.factory import open_source
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import RATE, join_samples, measure_pitch, take_blocks

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
"""Mark of tests that find the decoders as processes below the server, which exists on Linux only."""


def decoders() -> set[psutil.Process]:
    """Return the processes that the server forked."""
    mine = psutil.Process()
    return {child for child in mine.children(recursive=True) if child.ppid() != mine.pid}


@pytest.fixture
def station(tmp_path: Path) -> Iterator[str]:
    """Address of a station that sends some seconds at once and stays open."""
    sound = write(tmp_path / "t.mp3", tone(440, 2, RATE), RATE, "libmp3lame").read_bytes()
    with web_server({"live": Answer(sound, length=False, hang=True)}) as server:
        yield server.url("live")


def kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@needs_linux
def test_a_station_that_crashes_the_decoder_costs_no_other_station(station: str) -> None:
    clock = SystemClock()
    with closing(StreamSource(station, clock)) as good:
        before = decoders()
        with closing(StreamSource(station, clock)) as bad:
            kill(decoders() - before)
            with pytest.raises(SourceCrashError, match=r"/live crashed the decoder \(SIGKILL\)"):
                list(bad.blocks())
        assert take_blocks(good.blocks(), 1.5)


@needs_linux
def test_a_station_that_crashes_the_decoder_each_time_is_given_up(station: str) -> None:
    before = decoders()

    def play(source: AudioSource) -> None:
        for _ in source.blocks():
            kill(decoders() - before)

    given_up = r"crashed the decoder \(SIGKILL\) 3 times and is given up"
    with closing(open_source(station, 1.0, SystemClock())) as source:
        with pytest.raises(SourceCrashError, match=given_up):
            play(source)


def test_a_station_whose_links_change_rate_and_channels_is_heard_without_a_break(tmp_path: Path) -> None:
    content = b""
    for number, (rate, channels) in enumerate([(44_100, 2), (22_050, 1), (44_100, 1)]):
        sound = np.repeat(tone(440 * (number + 1), 2, rate)[:, np.newaxis], channels, axis=1)
        source_file = str(write(tmp_path / "s.wav", sound, rate))
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-i",
            source_file,
            "-c:a",
            "libvorbis",
            str(tmp_path / "s.ogg"),
        ]
        subprocess.run(command, check=True, timeout=30)
        content += (tmp_path / "s.ogg").read_bytes()
    with web_server({"live": Answer(content, length=False)}) as server:
        with closing(StreamSource(server.url("live"), VirtualClock())) as source:
            blocks = source.blocks()
            received = join_samples(take_blocks(blocks, 5.8))  # then the station has closed the connection
    for number in range(3):
        middle = received[int((2 * number + 0.5) * 44_100) : int((2 * number + 1.5) * 44_100)]
        assert measure_pitch(middle, 44_100) == pytest.approx(440 * (number + 1), abs=3)
