"""Lengths that are not true, requests for a part of a file, and limits of what a stream may send."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import SourceError
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.network.source import StreamSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import RATE, join_samples, opening_error, read_until_failure, take_blocks


def test_a_station_whose_server_promises_ranges_is_read_in_one_request(tmp_path: Path) -> None:
    """The length of a chunked response is unknown, so its end cannot be sought."""
    sound = write(tmp_path / "t.mp3", tone(440, 3, RATE), RATE, "libmp3lame").read_bytes()
    body = b"%x\r\n" % len(sound) + sound + b"\r\n0\r\n\r\n"
    chunked = {"Transfer-Encoding": "chunked", "Accept-Ranges": "bytes", "Content-Type": "audio/mpeg"}
    with web_server({"live": Answer(body, headers=chunked, length=False)}) as server:
        source = StreamSource(server.url("live"), VirtualClock())
        assert len(join_samples(list(source.blocks()))) / RATE == pytest.approx(3, abs=0.1)
        assert [headers.get("range") for _, headers in server.requests] == [None]


@pytest.mark.parametrize("length", [221_183_499, 2_147_483_647, 9_223_372_036_854_775_807])
def test_a_length_that_is_not_true_does_not_matter(tmp_path: Path, length: int) -> None:
    """Some servers promise ranges and an absurd length for live streams, and then ignore ranges."""
    sound = write(tmp_path / "t.mp3", tone(440, 3, RATE), RATE, "libmp3lame").read_bytes()
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(length), "Content-Type": "audio/mpeg"}
    with web_server({"live": Answer(sound, headers=headers, length=False)}) as server:
        source = StreamSource(server.url("live"), VirtualClock())
        blocks = source.blocks()
        take_blocks(blocks, 2.9)
        assert f"ended {length - len(sound)} bytes too early" in read_until_failure(blocks, 9)
        assert all("-1" not in headers.get("range", "") for _, headers in server.requests)


@pytest.mark.parametrize("length", ["0", "-1", "many"])
def test_a_length_of_nothing_does_not_matter(tmp_path: Path, length: str) -> None:
    sound = write(tmp_path / "t.mp3", tone(440, 3, RATE), RATE, "libmp3lame").read_bytes()
    headers = {"Content-Length": length, "Content-Type": "audio/mpeg", "icy-name": "Radio"}
    with web_server({"live": Answer(sound, headers=headers, length=False)}) as server:
        source = StreamSource(server.url("live"), VirtualClock())
        blocks = source.blocks()
        take_blocks(blocks, 2.9)
        assert read_until_failure(blocks, 9) == f"{server.url('live')} closed the connection"


def test_a_seek_changes_nothing_if_it_fails() -> None:
    content = bytes(range(256)) * 8
    with web_server({"x": Answer(content, headers={"Accept-Ranges": "bytes"})}) as server:
        client = HttpClient(server.url("x"), 5.0)
        body = client.open(server.url("x"))
        assert body.read(10) == content[:10]
        for offset, whence in ((-1, 0), (-11, 1), (2049, 0), (1, 2), (-2049, 2)):
            assert body.seek(offset, whence) == -1
            assert body.tell() == 10
        server.answers["x"] = Answer(status=416)
        assert body.seek(-8, 2) == 2040
        assert body.read(8) == b""
        assert "responded 416" in client.seek_failure
        assert body.seek(10) == 10
        assert client.seek_failure == client.failure == ""
        assert body.read(10) == content[10:20]
        body.close()


def test_a_file_whose_index_cannot_be_sought_is_explained(tmp_path: Path) -> None:
    content = write(tmp_path / "t.m4a", tone(440, 30, RATE), RATE, "aac").read_bytes()
    assert len(content) > 200_000, "FFmpeg would keep the whole file in its buffer"
    answer = Answer(content, headers={"Accept-Ranges": "bytes"}, ranges=False)
    with web_server({"t.m4a": answer}) as server:
        url = server.url("t.m4a")
        assert opening_error(url) == f"{url} cannot send a part of a file (200)"


def test_a_seek_in_a_body_of_unknown_length_fails() -> None:
    with web_server({"x": Answer(b"x" * 99, headers={"Accept-Ranges": "bytes"}, length=False)}) as server:
        body = HttpClient(server.url("x"), 5.0).open(server.url("x"))
        assert not body.seekable()
        assert body.seek(-1, 2) == -1
        assert body.read(9) == b"x" * 9
        body.close()


def test_a_server_that_sends_no_audio_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would otherwise notice that a station uses up the network."""
    monkeypatch.setattr("realtime.network.http_client.MAX_UNHEARD_BYTES", 1 << 20)
    with web_server({"x": Answer(b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(4 << 20))}) as server:
        url = server.url("x")
        with pytest.raises(SourceError, match=rf"^{url} sends too little audio in too many bytes$"):
            open_stream(url, HttpClient(url, 5.0), 5.0)


def test_a_server_that_sends_little_audio_in_many_bytes_is_left(tmp_path: Path) -> None:
    """The titles between two bytes of audio have up to 4080 bytes."""
    sound = write(tmp_path / "t.mp3", tone(440, 3, RATE), RATE, "libmp3lame").read_bytes()
    title = b"\xff" + b"StreamTitle='a';".ljust(4080, b"\0")
    body = b"".join(bytes([byte]) + title for byte in sound)
    headers = {"Content-Type": "audio/mpeg", "icy-metaint": "1", "icy-name": "Titles"}
    assert len(body) > 60 << 20
    with web_server({"x": Answer(body, headers=headers, length=False)}) as server:
        source = StreamSource(server.url("x"), VirtualClock())
        message = read_until_failure(source.blocks(), 60)
        assert message == f"{server.url('x')} sends too little audio in too many bytes"


def test_audio_raises_the_limits_again() -> None:
    client = HttpClient("http://127.0.0.1/", 1.0)
    for _ in range(100):
        client.record_bytes(4 << 20)
        client.record_heard(1.0)
    client.record_bytes(28 << 20)
    with pytest.raises(SourceError, match="sends too little audio in too many bytes"):
        client.record_bytes(5 << 20)
