"""Radio stations over real sockets: Icecast and scripted servers."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from realtime.audio.source import AudioBlock
from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.network.source import LEAD_SECONDS, OPEN_TIMEOUT_SECONDS, SILENCE_TIMEOUT_SECONDS, StreamSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.network import free_port
from tests.support.stream_servers import (
    AAC,
    MP3,
    OPUS,
    Answer,
    Icecast,
    icecast_server,
    raw_server,
    web_server,
)
from tests.support.streams import (
    RATE,
    join_samples,
    measure_pitch,
    opening_error,
    read_until_failure,
    take_blocks,
)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Icecast]:
    with icecast_server(tmp_path_factory.mktemp("icecast")) as server:
        yield server


@pytest.fixture(scope="module")
def mp3_station(station: Icecast) -> Iterator[str]:
    with station.fed("live.mp3", *MP3):
        yield station.url("live.mp3")


def test_a_station_plays_in_real_time_with_its_titles(station: Icecast, mp3_station: str) -> None:
    station.set_title("live.mp3", "Bänd - Don't Stop")
    clock = SystemClock()
    with closing(StreamSource(mp3_station, clock)) as source:
        assert source.name == mp3_station
        assert source.sample_rate == 48_000
        blocks = source.blocks()
        began = clock.monotonic()
        received = take_blocks(blocks, 2.5)
        assert clock.monotonic() - began > 2.5 - LEAD_SECONDS - 0.2
        assert source.status().title == "Bänd - Don't Stop"
        assert source.status().device == "Tone Rädio"
        assert measure_pitch(join_samples(received), 48_000) == pytest.approx(440, abs=2)
        station.set_title("live.mp3", "Next")
        for block in itertools.islice(blocks, 500):
            received.append(block)
            if source.status().title == "Next":
                break
        assert source.status().title == "Next"
    ends = list(itertools.accumulate(len(block.samples) for block in received))
    assert [block.position for block in received] == [0, *ends[:-1]]
    moments = [block.captured_at for block in received]
    assert moments == sorted(moments)
    assert moments[0] >= began
    assert all(not block.samples.flags.writeable and len(block.samples) <= 4_800 for block in received)


@pytest.mark.parametrize(("mount", "form"), [("live.opus", OPUS), ("live.aac", AAC)])
def test_opus_and_aac_stations_are_played(station: Icecast, mount: str, form: tuple[str, ...]) -> None:
    with (
        station.fed(mount, *form, hz=660),
        closing(StreamSource(station.url(mount), SystemClock())) as source,
    ):
        assert measure_pitch(
            join_samples(take_blocks(source.blocks(), 1)), source.sample_rate
        ) == pytest.approx(660, abs=3)


def test_a_station_whose_programme_ends_fails_and_does_not_end(station: Icecast) -> None:
    """A source that ends would end the analysis, but a station that goes off the air comes back."""
    with station.fed("ends.mp3", *MP3) as feeder:
        with closing(StreamSource(station.url("ends.mp3"), SystemClock())) as source:
            blocks = source.blocks()
            take_blocks(blocks, 0.5)
            feeder.kill()
            assert read_until_failure(blocks, 8) == f"{source.name} closed the connection"


def test_a_station_that_falls_silent_is_noticed(station: Icecast, mp3_station: str) -> None:
    with closing(StreamSource(mp3_station, SystemClock(), silence_timeout_seconds=1.5)) as source:
        blocks = source.blocks()
        take_blocks(blocks, 0.5)
        with station.paused():
            error = read_until_failure(blocks, 9)
        assert "sent nothing" in error or "has sent no audio for 1.5 s" in error


def test_silence_is_noticed_in_time_by_default() -> None:
    assert OPEN_TIMEOUT_SECONDS <= 10
    assert SILENCE_TIMEOUT_SECONDS <= 10


def test_a_station_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with icecast_server(tmp_path, port) as server, server.fed("a.mp3", *MP3):
        url = server.url("a.mp3")
        source = StreamSource(url, SystemClock())
        blocks = source.blocks()
        take_blocks(blocks, 0.2)
        server.process.send_signal(signal.SIGKILL)
        assert url in read_until_failure(blocks, 8)
        source.close()
        assert opening_error(url) == f"{url} refuses the connection; is the server running?"
    with icecast_server(tmp_path, port) as server, server.fed("a.mp3", *MP3):
        with closing(StreamSource(url, SystemClock())) as source:
            assert take_blocks(source.blocks(), 0.2)


def test_each_refusal_of_a_station_is_one_sentence(station: Icecast) -> None:
    url = station.url("none.mp3")
    assert opening_error(url.replace("//", "//me:secret@") + "?key=secret") == f"{url} does not exist (404)"
    stats = station.url("admin/stats")
    assert opening_error(stats).startswith(f"{stats} needs a valid user and password")
    allowed = stats.replace("//", "//admin:rule@")
    assert opening_error(allowed) == f"{stats} is not audio that FFmpeg can decode", (
        "the server must have accepted the password"
    )


def test_a_shoutcast_server_without_http_is_played(tmp_path: Path) -> None:
    """Old servers respond with ``ICY 200 OK``."""
    sound = write(tmp_path / "t.mp3", tone(440, 2, RATE), RATE, "libmp3lame").read_bytes()
    title = b"StreamTitle='It's on';".ljust(32, b"\0")
    body = sound[:4000] + b"\x02" + title + b"".join(
        sound[at : at + 4000] + b"\0" for at in range(4000, len(sound) - 4000, 4000)
    )  # fmt: skip
    with raw_server(b"ICY 200 OK\r\nicy-name:Old one\r\nicy-metaint:4000\r\n\r\n" + body) as port:
        source = StreamSource(f"http://127.0.0.1:{port}/", VirtualClock())
        received = take_blocks(source.blocks(), 1)
        assert measure_pitch(join_samples(received), RATE) == pytest.approx(440, abs=2)
        assert source.status().device == "Old one"
        assert source.status().title == "It's on"
        source.close()


def test_a_chained_ogg_stream_changes_its_title(tmp_path: Path) -> None:
    """An Ogg station begins a new logical stream with each song, whose tags have the title."""
    parts = []
    for number, hz in enumerate((440, 880)):
        sound = write(tmp_path / f"{number}.wav", tone(hz, 2, 48_000), 48_000)
        song = tmp_path / f"{number}.opus"
        tags = ["-metadata", f"TITLE=Song {number}", "-metadata", "ARTIST=Band"]
        command = ["ffmpeg", "-v", "error", "-i", str(sound), "-c:a", "libopus", *tags, str(song)]
        subprocess.run(command, check=True, timeout=30)
        parts.append(song.read_bytes())
    with web_server(
        {"live": Answer(b"".join(parts), headers={"Content-Type": "audio/ogg"}, length=False)}
    ) as server:
        source = StreamSource(server.url("live"), VirtualClock())
        received: dict[str, list[AudioBlock]] = {"Band - Song 0": [], "Band - Song 1": []}
        with suppress(SourceError):  # the station goes off the air
            for block in source.blocks():
                received[source.status().title].append(block)
    for blocks, hz in zip(received.values(), (440, 880), strict=True):
        samples = join_samples(blocks)
        assert len(samples) / 48_000 == pytest.approx(2, abs=0.1)
        assert measure_pitch(samples, 48_000) == pytest.approx(hz, abs=3)
