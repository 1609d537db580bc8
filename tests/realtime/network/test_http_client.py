"""Files, redirects, playlists and faults over HTTP and TLS."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import av
import av.container
import numpy as np
import pytest

from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder
from realtime.network.http_client import HttpClient
from realtime.network.source import LEAD_SECONDS, StreamSource
from tests.support.audio import tone, write
from tests.support.clock import VirtualClock
from tests.support.network import make_certificate
from tests.support.stream_servers import Answer, raw_server, web_server
from tests.support.streams import (
    RATE,
    closes_within_a_second,
    join_samples,
    measure_pitch,
    opening_error,
    read_until_failure,
)


def test_a_file_is_played_to_its_end_and_ends(tmp_path: Path) -> None:
    sound = tone(440, 3, RATE)
    write(tmp_path / "t.wav", sound, RATE)
    clock = VirtualClock()
    with web_server(folder=tmp_path) as server:
        source = StreamSource(server.url("t.wav?key=secret", "me:secret"), clock)
        assert source.name == source.status().device == server.url("t.wav")
        blocks = list(source.blocks())
    received = join_samples(blocks)
    assert np.abs(received - sound).max() < 1e-4
    assert clock.now == pytest.approx(100 + 3 - LEAD_SECONDS, abs=0.2)


def test_an_mp4_file_whose_index_is_at_its_end(tmp_path: Path) -> None:
    """Encoders write the index of an MP4 file last, so reading the file needs range requests."""
    content = write(tmp_path / "t.m4a", tone(440, 3, RATE), RATE, "aac").read_bytes()
    assert content.index(b"moov") > content.index(b"mdat")
    with web_server({"t.m4a": Answer(content, headers={"Accept-Ranges": "bytes"})}) as server:
        source = StreamSource(server.url("t.m4a"), VirtualClock())
        assert len(join_samples(list(source.blocks()))) / RATE == pytest.approx(3, abs=0.1)
        assert any("range" in headers for _, headers in server.requests)


class Breaking(io.BytesIO):
    """File that can be read up to a position and raises an error after it."""

    def __init__(self, content: bytes, good: int) -> None:
        super().__init__(content)
        self._good = good

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= self._good:
            raise OSError("broken")
        return super().read(min(size or -1, 1024))


def test_all_that_was_decoded_comes_before_a_stream_breaks_off(tmp_path: Path) -> None:
    content = write(tmp_path / "t.mp3", tone(440, 3, RATE), RATE, "libmp3lame").read_bytes()

    def opened() -> av.container.InputContainer:
        return av.open(Breaking(content, len(content) // 2), mode="r", format="mp3")

    decoded: list[int] = []
    with pytest.raises(OSError, match="broken"):
        decoded.extend(frame.samples for frame in opened().decode(audio=0))
    assert sum(decoded) % (RATE // 10), "the file must end within a block, or the test shows nothing"
    sound = StreamDecoder(opened(), "the stream", HttpClient("http://127.0.0.1/", 1.0), None)
    received: list[int] = []
    with pytest.raises(SourceError, match="the stream cannot be played"):
        received.extend(len(samples) for samples, _ in sound.decode())
    assert sum(received) == sum(decoded)


def test_a_stream_that_changes_its_form_midway(tmp_path: Path) -> None:
    stereo = np.repeat(tone(880, 2, 22_050)[:, np.newaxis], 2, axis=1)
    parts = [
        write(tmp_path / "mono.mp3", tone(440, 2, RATE), RATE, "libmp3lame"),
        write(tmp_path / "stereo.mp3", stereo, 22_050, "libmp3lame"),
    ]
    (tmp_path / "both.mp3").write_bytes(b"".join(part.read_bytes() for part in parts))
    with web_server(folder=tmp_path) as server:
        source = StreamSource(server.url("both.mp3"), VirtualClock())
        received = join_samples(list(source.blocks()))
    assert len(received) / RATE == pytest.approx(4, abs=0.2)
    assert measure_pitch(received[:RATE], RATE) == pytest.approx(440, abs=2)
    assert measure_pitch(received[3 * RATE :], RATE) == pytest.approx(880, abs=2)


def test_a_file_that_is_cut_off_has_broken_off(tmp_path: Path) -> None:
    content = write(tmp_path / "t.wav", tone(440, 2, RATE), RATE).read_bytes()
    answer = Answer(content[:90_000], headers={"Content-Length": str(len(content))}, length=False)
    with web_server({"t.wav": answer}) as server:
        source = StreamSource(server.url("t.wav"), VirtualClock())
        assert re.search(r"t\.wav ended \d+ bytes too early", read_until_failure(source.blocks(), 5))


def test_redirects_are_followed_and_keep_the_password_to_themselves(tmp_path: Path) -> None:
    content = write(tmp_path / "t.wav", tone(440, 1, RATE), RATE).read_bytes()
    with web_server({"t.wav": Answer(content)}) as other:
        answers = {
            "a": Answer(status=302, headers={"Location": "/b"}),
            "b": Answer(status=301, headers={"Location": other.url("t.wav")}),
        }
        with web_server(answers) as server:
            source = StreamSource(server.url("a", "me:secret"), VirtualClock())
            assert source.name == server.url("a")
            assert len(join_samples(list(source.blocks()))) == RATE
            assert [headers.get("authorization") for _, headers in server.requests] == [
                "Basic bWU6c2VjcmV0"
            ] * 2
        assert [headers.get("authorization") for _, headers in other.requests] == [None]
        assert other.requests[0][1]["user-agent"] == "overheard"
        assert other.requests[0][1]["icy-metadata"] == "1"


def test_the_number_and_schemes_of_redirects_are_limited() -> None:
    answers = {
        "loop": Answer(status=302, headers={"Location": "/loop"}),
        "away": Answer(status=302, headers={"Location": "file:///etc/passwd"}),
    }
    with web_server(answers) as server:
        assert opening_error(server.url("loop")) == f"{server.url('loop')} redirects more than 5 times"
        assert len(server.requests) == 6
        assert opening_error(server.url("away")).endswith(
            "redirects to file:///etc/passwd, which is not an http or https address"
        )


def test_a_playlist_is_followed_by_one_step(tmp_path: Path) -> None:
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    (tmp_path / "a.m3u").write_text("#EXTM3U\n#EXTINF:-1,Radio\nt.wav\n")
    (tmp_path / "twice.m3u").write_text("a.m3u\n")
    (tmp_path / "empty.m3u").write_text("#EXTM3U\n")
    with web_server(folder=tmp_path) as server:
        (tmp_path / "a.pls").write_text(f"[playlist]\nNumberOfEntries=1\nFile1={server.url('t.wav')}\n")
        for name in ("a.m3u", "a.pls"):
            source = StreamSource(server.url(name), VirtualClock())
            assert len(join_samples(list(source.blocks()))) == RATE
        assert opening_error(server.url("twice.m3u")) == (
            f"{server.url('a.m3u')} is a playlist in a playlist; name the address in it instead"
        )
        assert opening_error(server.url("empty.m3u")).endswith("is a playlist without an address")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=401), "needs a valid user and password"),
        (Answer(status=403), r"denies access \(403\)"),
        (Answer(status=418, body=b"tea"), "responded 418 I'm a Teapot"),
        (Answer(b"only words " * 99), "is not audio that FFmpeg can decode"),
        (Answer(b"", length=False), "is not audio|cannot be played"),
        (Answer(hang=True, length=False), "sent nothing within 0.5 s|sent no audio"),
        (Answer(drip_seconds=0.1, length=False), "sent no audio within 1.5 s"),
    ],
)
def test_responses_that_are_not_audio_are_explained(answer: Answer, expected: str) -> None:
    """Servers that never send audio are included. Opening them must not hang."""
    with web_server({"x": answer}) as server:
        message = opening_error(
            server.url("x?key=secret", "me:secret"), open_timeout_seconds=1.5, silence_timeout_seconds=0.5
        )
    assert re.search(expected, message), message
    assert server.url("x") in message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:bad/?secret", "not valid"),
        ("http://[half/?secret", "not valid"),
        ("http:///nothing?secret", "failed|unknown|refuses|not a valid address"),
        ("http://no-such-host.invalid/?secret", "the host of http://no-such-host.invalid/ is unknown"),
        ("rtsp://127.0.0.1:1/x?secret", "rtsp://127.0.0.1:1/x refuses the connection"),
    ],
)
def test_addresses_without_a_server_are_explained(url: str, expected: str) -> None:
    message = opening_error(url)
    assert re.search(expected, message), message


def test_a_server_that_hangs_up() -> None:
    with raw_server(b"") as port:
        url = f"http://127.0.0.1:{port}/"
        assert opening_error(url) == f"{url} closed the connection without a response"


def test_a_server_that_speaks_something_else() -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert "did not send a valid HTTP response: BadStatusLine" in opening_error(
            f"http://127.0.0.1:{port}/"
        )


def test_a_self_signed_certificate_is_rejected_unless_it_is_trusted_explicitly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    certificate = make_certificate(tmp_path)
    with web_server(folder=tmp_path, tls=certificate) as server:
        url = server.url("t.wav", scheme="https")
        assert opening_error(url) == (
            f"the certificate of {url} is not trusted: self-signed certificate; "
            "if it is your own, set SSL_CERT_FILE to the certificate of its authority"
        )
        assert server.requests == [], "a request was sent over a connection that is not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        source = StreamSource(url, VirtualClock())
        assert len(join_samples(list(source.blocks()))) == RATE


def test_closing_ends_a_read_over_tls_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = write(tmp_path / "t.mp3", tone(440, 2, RATE), RATE, "libmp3lame").read_bytes()
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    with web_server({"live": Answer(sound, length=False, hang=True)}, tls=certificate) as server:
        source = StreamSource(server.url("live", scheme="https"), SystemClock())
        with closes_within_a_second(source):
            threading.Event().wait(0.2)


def test_cookies_of_a_redirect_are_kept_while_the_stream_is_opened(tmp_path: Path) -> None:
    """Some stations admit only listeners whose cookie their redirect has set. Each opening gets a new one."""
    sound = write(tmp_path / "t.wav", tone(440, 1, RATE), RATE).read_bytes()
    moved = {"Location": "/list.m3u", "Set-Cookie": "sid=1; Path=/"}
    answers = {
        "a": Answer(status=302, headers=moved),
        "list.m3u": Answer(b"t.wav\n", headers={"Set-Cookie": "more=2"}),
        "t.wav": Answer(sound),
    }
    with web_server(answers) as server:
        for _ in range(2):
            source = StreamSource(server.url("a"), VirtualClock())
            assert len(join_samples(list(source.blocks()))) == RATE
        cookies = [headers.get("cookie") for _, headers in server.requests]
    assert cookies == [None, "sid=1", "sid=1; more=2"] * 2


def test_cookies_stay_with_their_host_and_their_number_is_limited(tmp_path: Path) -> None:
    sound = write(tmp_path / "t.wav", tone(440, 1, RATE), RATE).read_bytes()
    with web_server({"t.wav": Answer(sound)}, host="0.0.0.0") as other:
        url = f"http://localhost:{other.port}/t.wav"
        answers = {"a": Answer(status=302, headers={"Location": url, "Set-Cookie": "sid=1; Path=/"})}
        with web_server(answers) as server:
            list(StreamSource(server.url("a"), VirtualClock()).blocks())
        assert [headers.get("cookie") for _, headers in other.requests] == [None]


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        ('Digest realm="x, not basic", nonce="abc"', "needs a login of the kind Digest (401), and Overheard"),
        ("NTLM", "needs a login of the kind NTLM (401), and Overheard supports only Basic"),
        ('Basic realm="x"', "needs a valid user and password (401)"),
        ('Digest realm="x", basic realm="y"', "needs a valid user and password (401)"),
        ("\x1b]0;owned\x07" + "A" * 9_000, "needs a login of the kind ]0;owned AAAAAAAAAA… (401), and"),
    ],
)
def test_a_login_that_is_not_supported_is_named(challenge: str, expected: str) -> None:
    with web_server({"x": Answer(status=401, headers={"WWW-Authenticate": challenge})}) as server:
        assert opening_error(server.url("x", "me:secret")).startswith(f"{server.url('x')} {expected}")


@pytest.mark.parametrize(
    "location",
    ["http://[half", "http://a:bad/", "http://a:99999999/", "http://[::1%/", "//[", "http://\x80..\x80/", ""],
)
def test_an_address_of_a_redirect_that_is_not_valid_is_one_sentence(location: str) -> None:
    with web_server({"x": Answer(status=302, headers={"Location": location})}) as server:
        message = opening_error(server.url("x"))
    assert re.search(
        r"redirects (to an address that is not valid|without an address)|unknown|not a valid", message
    )


def test_messages_show_no_control_characters_and_no_page_of_text() -> None:
    answers = {
        "x": Answer(status=302, headers={"Location": "/\x1b]0;owned\x07\x9b31m" + "a" * 20_000}),
        "y": Answer(status=302, headers={"Location": "gopher:\x1b[31m"}),
    }
    with web_server(answers) as server:
        for name in answers:
            message = opening_error(server.url(name))
            assert message.isprintable()
            assert len(message) < 500
