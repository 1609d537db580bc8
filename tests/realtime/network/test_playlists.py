"""Playlists of addresses, and the recognition of content by its first bytes."""

from __future__ import annotations

import gzip
import socket
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.common.playlists import HEAD_BYTES, is_hls, is_playlist, is_web_page, parse_playlist
from realtime.errors import SourceError
from realtime.network.hls import MAX_BANDWIDTH, list_audio_playlists
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.network.source import StreamSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import RATE, join_samples, opening_error
from tests.support.waiting import computes_at_most


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("http://a/live\n", ["http://a/live"]),
        (
            "\ufeff#EXTM3U\r\n#EXTINF:-1,Radio\r\nhttp://a/live?x=1\r\nhttp://b/\r\n",
            ["http://a/live?x=1", "http://b/"],
        ),
        ("[playlist]\nNumberOfEntries=1\nTitle1=Radio\nFile1=http://a/live\nVersion=2\n", ["http://a/live"]),
        (
            "[playlist]\nFile10=http://c\nFile2=http://b\nfile1 = http://a\n",
            ["http://a", "http://b", "http://c"],
        ),
        ("[playlist]\nfile1 = http://a/live\n", ["http://a/live"]),
        ("[Reference]\nRef2=http://b\nRef1=http://a\n", ["http://a", "http://b"]),
        ("relative/live.mp3", ["relative/live.mp3"]),
        ("my%20song.mp3\nhttp://a/my song.mp3\n", ["my%20song.mp3", "http://a/my song.mp3"]),
        ("file:///music/a.mp3\n", ["file:///music/a.mp3"]),
        ("http://a\nhttp://a\n", ["http://a"]),
        ("[playlist]\nNumberOfEntries=0\n", []),
        ("", []),
        (
            '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><location>http://list/</location>'
            "<trackList><track><location> http://a/?x=1&amp;y=2 </location></track><track>"
            "<location><![CDATA[http://b/]]></location></track></trackList></playlist>",
            ["http://a/?x=1&y=2", "http://b/"],
        ),
        (
            '<ASX version="3.0"><Title>A & B</Title><Entry><REF HREF = "http://a/?x&amp;y"/></Entry>'
            "<entry><ref foo='1' href='http://b/'></entry></asx>",
            ["http://a/?x&y", "http://b/"],
        ),
    ],
)
def test_the_addresses_of_a_playlist_in_their_order(text: str, addresses: list[str]) -> None:
    assert parse_playlist(text) == addresses


def test_a_playlist_of_segments_is_distinguished_from_one_of_addresses() -> None:
    assert is_hls("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n")
    assert not is_hls("#EXTM3U\n#EXTINF:-1,Radio\nhttp://a/live\n")


@pytest.mark.parametrize(
    ("head", "content_type", "path", "expected"),
    [
        (b"#EXTM3U\nhttp://a/\n", "audio/mpeg", "/x", True),
        (b"\xef\xbb\xbf#EXTM3U\nhttp://a/\n", "", "/", True),
        ("#EXTM3U\nhttp://a/\n".encode("utf-16"), "audio/x-mpegurl", "/", True),
        (b"\r\n [Playlist]\r\nFile1=http://a/\r\n", "application/octet-stream", "/", True),
        (b"http://a/live\n", "text/plain", "/", True),
        (b"live.mp3\n", "audio/x-mpegurl", "/", True),
        (b"live.mp3\n", "text/plain", "/a.M3U", True),
        (b"caf\xe9/live.mp3\n", "text/plain", "/a.m3u", True),
        ("東京.mp3\n".encode("shift_jis"), "text/plain", "/a.m3u", True),
        (b'<?xml version="1.0"?>\n<playlist/>', "text/xml", "/", True),
        (b'<ASX version="3">', "audio/mpeg", "/", True),
        (b"live.mp3\n", "text/plain", "/", False),
        (b"ID3\4\0\0\0\0\1\0", "audio/x-mpegurl", "/a.m3u", False),
        (b"\xff\xfb\x90\x64\0\0\0", "audio/x-scpls", "/a.pls", False),
        (b"OggS\0\2", "application/ogg", "/", False),
        (b"RIFF\1\2\0\0WAVE", "audio/mpegurl", "/", False),
        (b"<html><body>#EXTM3U</body></html>", "audio/x-mpegurl", "/a.m3u", False),
        (b"<?xml version='1.0'?><MPD></MPD>", "application/dash+xml", "/", False),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "application/sdp", "/", False),
        (b"", "audio/x-mpegurl", "/a.m3u", False),
    ],
)
def test_the_first_bytes_tell_a_playlist(head: bytes, content_type: str, path: str, expected: bool) -> None:
    assert is_playlist(head, content_type, path) is expected


@pytest.mark.parametrize(
    ("head", "content_type", "expected"),
    [
        (b"<!DOCTYPE html><html>", "audio/mpeg", True),
        (b"\xef\xbb\xbf\n<HTML lang=de>", "", True),
        (b"<?xml version='1.0'?><!DOCTYPE html><html>", "application/octet-stream", True),
        (b"Welcome to the hotel", "text/html", True),
        (b"\xff\xfb\x90\x64\0\0\0", "text/html", False),
        (b"only words", "text/plain", False),
    ],
)
def test_the_first_bytes_tell_a_web_page(head: bytes, content_type: str, expected: bool) -> None:
    assert is_web_page(head, content_type) is expected


@given(st.one_of(st.binary(max_size=HEAD_BYTES), st.text(max_size=HEAD_BYTES).map(str.encode)))
def test_no_content_breaks_the_recognition(head: bytes) -> None:
    is_playlist(head, "audio/x-mpegurl", "/a.m3u")
    is_web_page(head, "text/html")


PIECES = [
    "<ref ",
    "href=",
    '"',
    "'",
    "<location>",
    "<",
    ">",
    "File1",
    "=",
    " ",
    "\n",
    "&",
    "a",
    "#EXT-X-MEDIA:",
    ",",
]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@example("<ref " * 13_000)
@example("<ref " + "href " * 13_000)
@example("<ref href" + " " * 65_000)
@example("<location>" * 6_500)
@example("<a:" * 20_000)
@example("File1" + " " * 65_000)
@example("#EXT-X-STREAM-INF:" + "A" * 65_000)
@example('#EXT-X-STREAM-INF:A="' * 3_000)
@example("#EXT-X-STREAM-INF:A=1\n" * 50_000)
def test_a_hostile_playlist_takes_no_time(text: str) -> None:
    with computes_at_most(1):
        parse_playlist("<" + text)
        parse_playlist(text)
        list_audio_playlists(text)


def test_entries_are_tried_in_turn_by_their_numbers(tmp_path: Path) -> None:
    sound = write(tmp_path / "my song.wav", tone(440, 1, RATE), RATE).read_bytes()
    with web_server(folder=tmp_path) as server:
        dead = "http://127.0.0.1:9/dead?key=secret"
        lists = {
            "a.pls": f"[playlist]\nFile3=my%20song.wav\nFile2={server.url('gone')}\nFile1={dead}\n",
            "a.m3u": "file:///etc/passwd\nhttp://[half\nhttp://a:b/\nmy song.wav\n",
            "a.xspf": f"<?xml version='1.0'?><playlist><trackList><location>{dead}</location>"
            "<location>my%20song.wav</location></trackList></playlist>",
            "a.asx": f"<asx><entry><ref href='{dead}'/></entry>"
            "<entry><ref href='my%20song.wav'/></entry></asx>",
            "none.m3u": f"{dead}\n{server.url('gone')}\nC:\\music\\a.mp3\n",
            "page.m3u": "page\n",
        }
        server.answers |= {name: Answer(text.encode()) for name, text in lists.items()}
        server.answers |= {"my%20song.wav": Answer(sound), "page": Answer(b"<!doctype html><p>Welcome")}
        for name in ("a.pls", "a.m3u", "a.xspf", "a.asx"):
            source = StreamSource(server.url(name), VirtualClock())
            assert len(join_samples(list(source.blocks()))) == RATE, name
        assert opening_error(server.url("none.m3u")) == (
            f"none of the 3 addresses in {server.url('none.m3u')} can be played: "
            "http://127.0.0.1:9/dead refuses the connection; is the server running?"
        )
        assert opening_error(server.url("page.m3u")) == (
            f"{server.url('page')} is a web page and not audio; name the address of the stream itself"
        )


def test_an_entry_that_does_not_respond_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.network.opening.ENTRY_TIMEOUT_SECONDS", 0.3)
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    with socket.create_server(("127.0.0.1", 0)) as silent, web_server(folder=tmp_path) as server:
        entry = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        server.answers |= {
            "two.m3u": Answer(f"{entry}\nt.wav\n".encode()),
            "one.m3u": Answer(f"{entry}\n".encode()),
        }
        decoder = open_stream(server.url("two.m3u"), HttpClient(server.url(""), 9.0), 9.0)
        assert sum(len(samples) for samples, _ in decoder.decode()) == RATE
        assert decoder._body is not None
        decoder._body.close()
        with pytest.raises(SourceError, match=f"{entry} sent nothing within 3 s"):
            open_stream(server.url("one.m3u"), HttpClient(server.url(""), 3.0), 3.0)


@pytest.mark.parametrize("way", ["gzip", "x-gzip", "deflate", "unsaid"])
def test_compressed_responses_are_read(tmp_path: Path, way: str) -> None:
    """The request asks for uncompressed content, but some servers do not comply."""

    def answer(content: bytes) -> Answer:
        packed = zlib.compress(content) if way == "deflate" else gzip.compress(content)
        return Answer(packed, headers={} if way == "unsaid" else {"Content-Encoding": way})

    sound = write(tmp_path / "t.wav", tone(440, 1, RATE), RATE).read_bytes()
    with web_server({"a.m3u": answer(b"#EXTM3U\nt.wav\n"), "t.wav": answer(sound)}) as server:
        source = StreamSource(server.url("a.m3u"), VirtualClock())
        assert len(join_samples(list(source.blocks()))) == RATE
        assert {headers["accept-encoding"] for _, headers in server.requests} == {"identity"}


def test_a_compression_that_cannot_be_read_is_named() -> None:
    with web_server({"x": Answer(b"?", headers={"Content-Encoding": "br"})}) as server:
        url = server.url("x")
        assert opening_error(url) == f"{url} is compressed with br, which Overheard cannot read"


def test_damaged_compression_is_named() -> None:
    with web_server({"x": Answer(gzip.compress(b"")[:10] + b"\xff" * 99)}) as server:
        assert opening_error(server.url("x")) == f"{server.url('x')} sends damaged compressed data"


MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="German, loud",DEFAULT=YES,URI="de.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="inside",NAME="In the video"
#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080,AUDIO="inside"
big.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.42c01e, mp4a.40.2"
small.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,URI="frames.m3u8"
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MASTER, ["small.m3u8", "big.m3u8"]),
        (MASTER.replace('"inside"\nbig', '"aac"\nbig'), ["de.m3u8", "small.m3u8"]),
        (
            "#EXTM3U\n" + "".join(
                f"#EXT-X-STREAM-INF:BANDWIDTH={kbit}000,CODECS=\"mp4a.40.2\"\n{kbit}.m3u8\n"
                for kbit in (24, 256, 128, 320)
            ),
            ["128.m3u8", "24.m3u8", "256.m3u8", "320.m3u8"],
        ),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=\u0663\n\n# a comment\na.m3u8\n", ["a.m3u8"]),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", []),
        (2 * "#EXT-X-STREAM-INF:BANDWIDTH=1\n" + "a\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb\n", ["a", "b"]),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n", []),
    ],
)  # fmt: skip
def test_one_audio_playlist_of_a_master_playlist_is_chosen(text: str, expected: list[str]) -> None:
    assert 128_000 < MAX_BANDWIDTH < 256_000
    assert list_audio_playlists(text) == expected
