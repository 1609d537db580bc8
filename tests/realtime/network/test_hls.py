"""HLS over real sockets: FFmpeg writes the segments, a web server of the test serves them."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.network.source import LEAD_SECONDS, StreamSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import (
    RATE,
    join_samples,
    measure_pitch,
    opening_error,
    read_until_failure,
    take_blocks,
)
from tests.support.waiting import wait_until


def segment_command(folder: Path, *more: str, seconds: int = 3) -> list[str]:
    """Return the FFmpeg command that writes a tone in segments of a second."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed; on Debian: apt install ffmpeg")
    tone_of = f"sine=frequency=440:sample_rate=48000:duration={seconds}"
    return [
        "ffmpeg", "-v", "error", "-nostdin", *more, "-f", "lavfi", "-i", tone_of, "-c:a", "aac", "-f", "hls",
        "-hls_time", "1", "-hls_segment_filename", str(folder / "%d.ts"),
    ]  # fmt: skip


def test_the_segments_of_a_recording_are_played(tmp_path: Path) -> None:
    """The master playlist leads to another one. All requests need the password."""
    command = segment_command(tmp_path)
    subprocess.run([*command, "-hls_playlist_type", "vod", str(tmp_path / "a.m3u8")], check=True, timeout=30)
    (tmp_path / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=90000\na.m3u8\n")
    with web_server(folder=tmp_path) as server:
        clock = VirtualClock()
        source = StreamSource(server.url("master.m3u8", "me:secret"), clock)
        received = join_samples(list(source.blocks()))
        assert {headers.get("authorization") for _, headers in server.requests} == {"Basic bWU6c2VjcmV0"}
    assert len(received) / 48_000 == pytest.approx(3, abs=0.2)
    assert measure_pitch(received[24_000:-24_000], 48_000) == pytest.approx(440, abs=2)
    assert clock.now == pytest.approx(100 + 3 - LEAD_SECONDS, abs=0.3)


def test_a_live_stream_in_segments_plays_until_it_stalls(tmp_path: Path) -> None:
    maker = subprocess.Popen([*segment_command(tmp_path, "-re", seconds=99), str(tmp_path / "a.m3u8")])
    try:
        with web_server(folder=tmp_path) as server:
            wait_until((tmp_path / "1.ts").exists)
            with closing(
                StreamSource(server.url("a.m3u8"), SystemClock(), silence_timeout_seconds=2)
            ) as source:
                blocks = source.blocks()
                received = take_blocks(blocks, 2)
                assert measure_pitch(join_samples(received), 48_000) == pytest.approx(440, abs=2)
                maker.send_signal(signal.SIGSTOP)
                error = read_until_failure(blocks, 9)
                assert "stopped sending" in error or "has sent no audio for 2 s" in error
    finally:
        maker.kill()
        maker.wait(timeout=10)


def test_a_missing_segment_ends_the_stream_with_an_error(tmp_path: Path) -> None:
    subprocess.run(
        [*segment_command(tmp_path), "-hls_playlist_type", "vod", str(tmp_path / "a.m3u8")],
        check=True,
        timeout=30,
    )
    (tmp_path / "1.ts").unlink()
    with web_server(folder=tmp_path) as server:
        source = StreamSource(server.url("a.m3u8"), VirtualClock())
        assert read_until_failure(source.blocks(), 5) == f"{server.url('1.ts')} does not exist (404)"


def test_segments_may_come_from_the_web_only(tmp_path: Path) -> None:
    """A playlist of a foreign server must not make the program read files of this machine."""
    sound = write(tmp_path / "private.wav", tone(440, 1, RATE), RATE)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{sound}\n#EXT-X-ENDLIST\n"
    with web_server({"a.m3u8": Answer(playlist.encode())}) as server:
        assert server.url("a.m3u8") in opening_error(server.url("a.m3u8"))


def test_only_one_audio_playlist_of_a_master_playlist_is_fetched(tmp_path: Path) -> None:
    command = segment_command(tmp_path)
    subprocess.run([*command, "-hls_playlist_type", "vod", str(tmp_path / "a.m3u8")], check=True, timeout=30)
    stream = '#EXT-X-STREAM-INF:BANDWIDTH={},CODECS="{}"\n{}.m3u8\n'
    variants = [(96_000, "mp4a.40.2", "a"), (48_000, "mp4a.40.2", "low"), (900_000, "avc1.42c01e", "film")]
    master = "#EXTM3U\n" + "".join(stream.format(*each) for each in variants)
    master = stream.format(128_000, "mp4a.40.2", "gone") + master
    (tmp_path / "master.m3u8").write_text(master)
    with web_server(folder=tmp_path) as server:
        source = StreamSource(server.url("master.m3u8"), VirtualClock())
        received = join_samples(list(source.blocks()))
        paths = [path for path, _ in server.requests]
    assert len(received) / 48_000 == pytest.approx(3, abs=0.2)
    assert paths[:3] == ["/master.m3u8", "/gone.m3u8", "/a.m3u8"]
    assert paths[3:] == [f"/{number}.ts" for number in range(len(paths) - 3)]


def test_a_playlist_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.network.hls.MAX_PLAYLIST_BYTES", 1 << 20)
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + b"#EXTINF:1,\na.ts\n" * 200_000
    with web_server({"a.m3u8": Answer(playlist)}) as server:
        url = server.url("a.m3u8")
        with pytest.raises(SourceError, match=rf"^the playlist {url} is longer than 1 MiB$"):
            open_stream(url, HttpClient(url, 5.0), 5.0)


def test_a_live_playlist_that_never_changes_is_not_requested_without_pause(tmp_path: Path) -> None:
    """A playlist may state a duration of zero, after which FFmpeg would request it again at once."""
    command = segment_command(tmp_path, seconds=1)
    subprocess.run([*command, str(tmp_path / "b.m3u8")], check=True, timeout=30)
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXTINF:0,\n0.ts\n")
    with web_server(folder=tmp_path) as server:
        source = StreamSource(server.url("a.m3u8"), SystemClock(), silence_timeout_seconds=2)
        read_until_failure(source.blocks(), 9)
        assert len(server.requests) < 20


def test_a_master_playlist_that_leads_to_itself_is_refused() -> None:
    master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n"
    with web_server({"a.m3u8": Answer(master)}) as server:
        url = server.url("a.m3u8")
        assert opening_error(url) == f"{url} is a master playlist in a master playlist"
        assert len(server.requests) == 2


@pytest.mark.parametrize("address", ["http://[half/a.ts", "http://a:bad/a.ts", "\x1b]0;x\x07.ts"])
def test_an_address_of_a_segment_that_is_not_valid_is_one_sentence(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n"
    with web_server({"a.m3u8": Answer(playlist.encode())}) as server:
        url = server.url("a.m3u8")
        with pytest.raises(SourceError) as caught:  # in this process, since a decoder's output is discarded
            open_stream(url, HttpClient(url, 5.0), 5.0)
    message = str(caught.value)
    assert message.isprintable()
    assert "http" in message or "address" in message
    assert capfd.readouterr().err == ""
