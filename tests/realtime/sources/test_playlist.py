"""Playlists and ``file:`` URLs on this machine as sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.sources.factory import available_sources, open_source
from realtime.sources.file import FileSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.stream_servers import web_server
from tests.support.streams import RATE

NAMES = ["my song.wav", "100%20.wav", "Bjö#rk?.wav"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_url_is_a_path(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, tone(440, 1, RATE), RATE)
    source = open_source(path.as_uri(), 0.0, VirtualClock())
    assert source.name == available_sources([path.as_uri()])[0].name == name
    assert FileSource(path.as_uri(), VirtualClock()).location == str(path)
    assert sum(len(block.samples) for block in source.blocks()) == RATE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("written", ["{name}", "{quoted}", "{uri}", "{path}", "./{name}"])
def test_paths_are_relative_to_the_playlist(tmp_path: Path, name: str, written: str) -> None:
    path = write(tmp_path / name, tone(440, 1, RATE), RATE)
    uri = path.as_uri()
    entry = written.format(name=name, quoted=uri.rpartition("/")[2], uri=uri, path=path)
    playlist = tmp_path / "list.m3u"
    playlist.write_text(f"\ufeff#EXTM3U\nmissing.wav\n{entry}\n")
    source = open_source(str(playlist), 0.0, VirtualClock())
    assert source.name == available_sources([str(playlist)])[0].name == "list.m3u"
    assert sum(len(block.samples) for block in source.blocks()) == RATE


@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_stations_of_a_playlist_are_tried_in_turn_and_have_its_name(tmp_path: Path, speed: float) -> None:
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    playlist = tmp_path / "radio.pls"
    with web_server(folder=tmp_path) as server:
        playlist.write_text(f"[playlist]\nFile2={server.url('t.wav')}\nFile1={server.url('gone')}\n")
        source = open_source(str(playlist), speed, SystemClock())
        assert source.name == "radio.pls"
        assert sum(len(block.samples) for block in source.blocks()) == RATE
        assert [path for path, _ in server.requests] == ["/gone", "/t.wav"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("#EXTM3U\n", "is a playlist without an address"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n", "is an HLS playlist, which is played from"),
        ("file:///a%00b\nsong%00.mp3\n", r"nothing in .*list\.m3u can be played: .*embedded null byte"),
        (
            "a" * 9_000 + "\n",
            r"nothing in .*list\.m3u can be played: cannot read .*aaa…: File name too long$",
        ),
        (
            "a/" * 9_000 + "\n",
            r"nothing in .*list\.m3u can be played: cannot read .*a/a/?…: File name too long$",
        ),
        (
            "a" * 300 + "\nmissing.wav\n",
            r"nothing in .*list\.m3u can be played: cannot read .*: File name too long$",
        ),
        (
            "a\x7f\u202e.wav\n",
            r"nothing in .*list\.m3u can be played: .*a\\x7f\\u202e\.wav does not exist$",
        ),
        ("missing.wav\n", r"nothing in .*list\.m3u can be played: .*missing.wav does not exist"),
        ("list.m3u\n", r"nothing in .*list\.m3u can be played: .*list.m3u is not audio"),
        ("http://[half\n", r"nothing in .*list\.m3u can be played: the network address is not valid"),
        ("\0\1\2", "is not audio that FFmpeg can decode"),
    ],
)
def test_a_playlist_that_cannot_be_played_is_explained(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "list.m3u").write_text(content)
    with pytest.raises(SourceError, match=expected) as error:
        open_source(str(tmp_path / "list.m3u"), 0.0, VirtualClock())
    assert len(str(error.value)) < 1_500
