"""Stations, files, HLS and RTSP over real sockets: Icecast, GStreamer, FFmpeg and web servers of our own."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.frames import AudioBlock
from realtime.streams import LEAD_SECONDS, OPEN_SECONDS, STALL_SECONDS, Pacer, StreamSource
from tests.fakes.clock import VirtualClock
from tests.radio import AAC, MP3, OPUS, Answer, Icecast, certificate, free_port, icecast, rtsp, says, web
from tests.sounds import Samples, tone, write

RATE = 44_100


def taken(blocks: Iterator[AudioBlock], seconds: float) -> list[AudioBlock]:
    """Blocks until there are so many seconds of sound, at most ten times as long in real time."""
    got: list[AudioBlock] = []
    end = time.monotonic() + 10 * seconds + 5
    for block in blocks:
        got.append(block)
        if sum(len(b.samples) for b in got) >= seconds * block.sample_rate:
            break
        assert time.monotonic() < end
    return got


def joined(blocks: list[AudioBlock]) -> Samples:
    return np.concatenate([block.samples for block in blocks])


def pitch(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


def failure(blocks: Iterator[AudioBlock], within_seconds: float) -> str:
    """The sentence with which a stream breaks off, which has to come within this time."""
    end = time.monotonic() + within_seconds
    in_time = itertools.takewhile(lambda _: time.monotonic() < end, blocks)
    with pytest.raises(SourceError) as caught:
        deque(in_time, maxlen=0)
    return str(caught.value)


def refusal(url: str, **seconds: float) -> str:
    """The sentence with which opening fails; no secret may be in it."""
    with pytest.raises(SourceError) as caught:
        StreamSource(url, VirtualClock(), **seconds)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@contextmanager
def ends_within_a_second(source: StreamSource) -> Iterator[None]:
    """Begins to read on another thread; what reads there ends soon after the source is closed."""
    reader = threading.Thread(target=lambda: list(source.blocks()), daemon=True)
    reader.start()
    try:
        yield
    finally:
        began = time.monotonic()
        source.close()
        reader.join(timeout=5)
    assert not reader.is_alive()
    assert time.monotonic() - began < 1


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Icecast]:
    with icecast(tmp_path_factory.mktemp("icecast")) as server:
        yield server


@pytest.fixture(scope="module")
def mp3_station(station: Icecast) -> Iterator[str]:
    with station.fed("live.mp3", *MP3):
        yield station.url("live.mp3")


# Stations


def test_a_station_is_heard_at_its_own_pace_with_its_titles(station: Icecast, mp3_station: str) -> None:
    station.set_title("live.mp3", "Bänd - Don't Stop")
    clock = SystemClock()
    with closing(StreamSource(mp3_station, clock)) as source:
        assert source.name == mp3_station
        assert source.sample_rate == 48_000
        blocks = source.blocks()
        began = clock.monotonic()
        heard = taken(blocks, 2.5)
        assert clock.monotonic() - began > 2.5 - LEAD_SECONDS - 0.2
        assert source.status().title == "Bänd - Don't Stop"
        assert source.status().device == "Tone Rädio"
        assert pitch(joined(heard), 48_000) == pytest.approx(440, abs=2)
        station.set_title("live.mp3", "Next")
        for block in itertools.islice(blocks, 500):
            heard.append(block)
            if source.status().title == "Next":
                break
        assert source.status().title == "Next"
    ends = list(itertools.accumulate(len(block.samples) for block in heard))
    assert [block.position for block in heard] == [0, *ends[:-1]]
    moments = [block.captured_at for block in heard]
    assert moments == sorted(moments)
    assert moments[0] >= began
    assert all(not block.samples.flags.writeable and len(block.samples) <= 4096 for block in heard)


@pytest.mark.parametrize(("mount", "form"), [("live.opus", OPUS), ("live.aac", AAC)])
def test_stations_in_other_forms(station: Icecast, mount: str, form: tuple[str, ...]) -> None:
    with (
        station.fed(mount, *form, hz=660),
        closing(StreamSource(station.url(mount), SystemClock())) as source,
    ):
        assert pitch(joined(taken(source.blocks(), 1)), source.sample_rate) == pytest.approx(660, abs=3)


def test_a_station_whose_programme_ends_has_broken_off(station: Icecast) -> None:
    """An end would end the analysis; a station that goes off the air comes back."""
    with station.fed("ends.mp3", *MP3) as feeder:
        with closing(StreamSource(station.url("ends.mp3"), SystemClock())) as source:
            blocks = source.blocks()
            taken(blocks, 0.5)
            feeder.kill()
            assert failure(blocks, 8) == f"{source.name} closed the connection"


def test_a_station_that_falls_silent_is_noticed(station: Icecast, mp3_station: str) -> None:
    with closing(StreamSource(mp3_station, SystemClock(), stall_seconds=1.5)) as source:
        blocks = source.blocks()
        taken(blocks, 0.5)
        with station.paused():
            said = failure(blocks, 9)
        assert "sends nothing" in said or "has sent no sound for 1.5 s" in said


def test_closing_ends_a_read_that_hangs(station: Icecast, mp3_station: str) -> None:
    source = StreamSource(mp3_station, SystemClock())
    with station.paused(), ends_within_a_second(source):
        threading.Event().wait(0.3)
    source.close()


def test_silence_is_noticed_in_time_by_default() -> None:
    assert OPEN_SECONDS <= 10
    assert STALL_SECONDS <= 10


def test_a_station_that_is_gone_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with icecast(tmp_path, port) as server, server.fed("a.mp3", *MP3):
        url = server.url("a.mp3")
        source = StreamSource(url, SystemClock())
        blocks = source.blocks()
        taken(blocks, 0.2)
        server.process.send_signal(signal.SIGKILL)
        assert url in failure(blocks, 8)
        source.close()
        assert refusal(url) == f"{url} refuses the connection; is the server running?"
    with icecast(tmp_path, port) as server, server.fed("a.mp3", *MP3):
        with closing(StreamSource(url, SystemClock())) as source:
            assert taken(source.blocks(), 0.2)


def test_what_a_station_refuses_is_said_in_a_sentence(station: Icecast) -> None:
    url = station.url("none.mp3")
    assert refusal(url.replace("//", "//me:secret@") + "?key=secret") == f"{url} is not there (404)"
    stats = station.url("admin/stats")
    assert refusal(stats).startswith(f"{stats} needs a user and password")
    allowed = stats.replace("//", "//admin:rule@")
    assert refusal(allowed) == f"{stats} is no sound that FFmpeg can decode", "the password was let in"


def test_a_shoutcast_server_that_speaks_no_http(tmp_path: Path) -> None:
    """Old servers answer ``ICY 200 OK``."""
    sound = write(tmp_path / "t.mp3", tone(440, 2, RATE), RATE, "libmp3lame").read_bytes()
    title = b"StreamTitle='It's on';".ljust(32, b"\0")
    body = sound[:4000] + b"\x02" + title + b"".join(
        sound[at : at + 4000] + b"\0" for at in range(4000, len(sound) - 4000, 4000)
    )  # fmt: skip
    with says(b"ICY 200 OK\r\nicy-name:Old one\r\nicy-metaint:4000\r\n\r\n" + body) as port:
        source = StreamSource(f"http://127.0.0.1:{port}/", VirtualClock())
        heard = taken(source.blocks(), 1)
        assert pitch(joined(heard), RATE) == pytest.approx(440, abs=2)
        assert source.status().device == "Old one"
        assert source.status().title == "It's on"
        source.close()


def test_a_chained_ogg_stream_changes_its_title(tmp_path: Path) -> None:
    """Stations in Ogg begin a new stream in the stream with each song; its tags name it."""
    parts = []
    for number, hz in enumerate((440, 880)):
        sound = write(tmp_path / f"{number}.wav", tone(hz, 2, 48_000), 48_000)
        song = tmp_path / f"{number}.opus"
        tags = ["-metadata", f"TITLE=Song {number}", "-metadata", "ARTIST=Band"]
        command = ["ffmpeg", "-v", "error", "-i", str(sound), "-c:a", "libopus", *tags, str(song)]
        subprocess.run(command, check=True, timeout=30)
        parts.append(song.read_bytes())
    with web(
        {"live": Answer(b"".join(parts), headers={"Content-Type": "audio/ogg"}, length=False)}
    ) as server:
        source = StreamSource(server.url("live"), VirtualClock())
        heard: dict[str, list[AudioBlock]] = {"Band - Song 0": [], "Band - Song 1": []}
        with suppress(SourceError):  # how this station goes off the air
            for block in source.blocks():
                heard[source.status().title].append(block)
    for blocks, hz in zip(heard.values(), (440, 880), strict=True):
        sound_heard = joined(blocks)
        assert len(sound_heard) / 48_000 == pytest.approx(2, abs=0.1)
        assert pitch(sound_heard, 48_000) == pytest.approx(hz, abs=3)


# Pace


def test_a_burst_is_played_in_real_time_but_for_a_lead() -> None:
    pacer = Pacer(10, lead_seconds=1.0)
    assert pacer.due() == -math.inf
    dues = []
    for _ in range(5):
        due = max(100.0, pacer.due())  # the whole burst is there at 100 s
        dues.append(due)
        pacer.released(5, due)
    assert dues == [100.0, 100.0, 100.0, 100.5, 101.0]


def test_after_a_silence_no_more_than_the_lead_is_caught_up_on() -> None:
    """A stream that was silent for a minute must not rush through what its server kept."""
    pacer = Pacer(10, lead_seconds=1.0)
    pacer.released(10, 100.0)
    dues = []
    for _ in range(5):
        due = max(160.0, pacer.due())
        dues.append(due)
        pacer.released(5, due)
    assert dues == [160.0, 160.0, 160.0, 160.5, 161.0]


def test_sound_that_comes_in_time_is_passed_on_at_once() -> None:
    pacer = Pacer(10)
    for now in (100.0, 100.5, 101.0, 101.6):
        assert pacer.due() <= now
        pacer.released(5, now)


def test_a_station_that_sends_everything_at_once_is_paced(tmp_path: Path) -> None:
    sound = write(tmp_path / "t.mp3", tone(440, 20, RATE), RATE, "libmp3lame").read_bytes()
    with web({"live": Answer(sound, headers={"icy-name": "Burst"}, length=False, hang=True)}) as server:
        clock = SystemClock()
        with closing(StreamSource(server.url("live"), clock)) as source:
            began = clock.monotonic()
            for block in taken(source.blocks(), 1.8):
                ahead = (block.position + len(block.samples)) / RATE - (block.captured_at - began)
                assert ahead < LEAD_SECONDS + 2 * len(block.samples) / RATE + 0.01


def test_a_file_is_played_to_its_end_and_ends(tmp_path: Path) -> None:
    sound = tone(440, 3, RATE)
    write(tmp_path / "t.wav", sound, RATE)
    clock = VirtualClock()
    with web(folder=tmp_path) as server:
        source = StreamSource(server.url("t.wav?key=secret", "me:secret"), clock)
        assert source.name == source.status().device == server.url("t.wav")
        blocks = list(source.blocks())
    received = joined(blocks)
    assert np.abs(received - sound).max() < 1e-4
    assert clock.now == pytest.approx(100 + 3 - LEAD_SECONDS, abs=0.2)


def test_a_film_whose_index_is_at_its_end(tmp_path: Path) -> None:
    """MP4 as encoders write it has to be sought in, which the server allows by parts."""
    content = write(tmp_path / "t.m4a", tone(440, 3, RATE), RATE, "aac").read_bytes()
    assert content.index(b"moov") > content.index(b"mdat")
    with web({"t.m4a": Answer(content, headers={"Accept-Ranges": "bytes"})}) as server:
        source = StreamSource(server.url("t.m4a"), VirtualClock())
        assert len(joined(list(source.blocks()))) / RATE == pytest.approx(3, abs=0.1)
        assert any("range" in headers for _, headers in server.asked)


def test_a_stream_that_changes_its_form_midway(tmp_path: Path) -> None:
    stereo = np.repeat(tone(880, 2, 22_050)[:, np.newaxis], 2, axis=1)
    parts = [
        write(tmp_path / "mono.mp3", tone(440, 2, RATE), RATE, "libmp3lame"),
        write(tmp_path / "stereo.mp3", stereo, 22_050, "libmp3lame"),
    ]
    (tmp_path / "both.mp3").write_bytes(b"".join(part.read_bytes() for part in parts))
    with web(folder=tmp_path) as server:
        source = StreamSource(server.url("both.mp3"), VirtualClock())
        received = joined(list(source.blocks()))
    assert len(received) / RATE == pytest.approx(4, abs=0.2)
    assert pitch(received[:RATE], RATE) == pytest.approx(440, abs=2)
    assert pitch(received[3 * RATE :], RATE) == pytest.approx(880, abs=2)


# Web servers


def test_a_file_that_is_cut_off_has_broken_off(tmp_path: Path) -> None:
    content = write(tmp_path / "t.wav", tone(440, 2, RATE), RATE).read_bytes()
    answer = Answer(content[:90_000], headers={"Content-Length": str(len(content))}, length=False)
    with web({"t.wav": answer}) as server:
        source = StreamSource(server.url("t.wav"), VirtualClock())
        assert "broke off" in failure(source.blocks(), 5)


def test_redirects_are_followed_and_keep_the_password_to_themselves(tmp_path: Path) -> None:
    content = write(tmp_path / "t.wav", tone(440, 1, RATE), RATE).read_bytes()
    with web({"t.wav": Answer(content)}) as other:
        answers = {
            "a": Answer(status=302, headers={"Location": "/b"}),
            "b": Answer(status=301, headers={"Location": other.url("t.wav")}),
        }
        with web(answers) as server:
            source = StreamSource(server.url("a", "me:secret"), VirtualClock())
            assert source.name == server.url("a")
            assert len(joined(list(source.blocks()))) == RATE
            assert [headers.get("authorization") for _, headers in server.asked] == ["Basic bWU6c2VjcmV0"] * 2
        assert [headers.get("authorization") for _, headers in other.asked] == [None]
        assert other.asked[0][1]["user-agent"] == "overheard"
        assert other.asked[0][1]["icy-metadata"] == "1"


def test_redirects_come_to_an_end() -> None:
    answers = {
        "loop": Answer(status=302, headers={"Location": "/loop"}),
        "away": Answer(status=302, headers={"Location": "file:///etc/passwd"}),
    }
    with web(answers) as server:
        assert refusal(server.url("loop")) == f"{server.url('loop')} redirects more than 5 times"
        assert len(server.asked) == 6
        assert refusal(server.url("away")).endswith(
            "leads to file:///etc/passwd, which is no http or https address"
        )


def test_a_playlist_is_followed_by_one_step(tmp_path: Path) -> None:
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    (tmp_path / "a.m3u").write_text("#EXTM3U\n#EXTINF:-1,Radio\nt.wav\n")
    (tmp_path / "twice.m3u").write_text("a.m3u\n")
    (tmp_path / "empty.m3u").write_text("#EXTM3U\n")
    with web(folder=tmp_path) as server:
        (tmp_path / "a.pls").write_text(f"[playlist]\nNumberOfEntries=1\nFile1={server.url('t.wav')}\n")
        for name in ("a.m3u", "a.pls"):
            source = StreamSource(server.url(name), VirtualClock())
            assert len(joined(list(source.blocks()))) == RATE
        assert refusal(server.url("twice.m3u")) == (
            f"{server.url('a.m3u')} is a playlist in a playlist; name the one inside"
        )
        assert refusal(server.url("empty.m3u")).endswith("is a playlist without an address in it")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=401), "needs a user and password"),
        (Answer(status=403), r"may not be listened to \(403\)"),
        (Answer(status=418, body=b"tea"), "answers 418 I'm a Teapot"),
        (Answer(b"only words " * 99), "is no sound that FFmpeg can decode"),
        (Answer(b"", length=False), "is no sound|cannot be played"),
        (Answer(hang=True, length=False), "sends nothing: no answer within 0.5 s|sent no sound"),
        (Answer(drip_seconds=0.1, length=False), "sent no sound within 1.5 s"),
    ],
)
def test_answers_that_are_no_sound(answer: Answer, said: str) -> None:
    """Also of servers that never come to the point: nothing hangs."""
    with web({"x": answer}) as server:
        sentence = refusal(server.url("x?key=secret", "me:secret"), open_seconds=1.5, stall_seconds=0.5)
    assert re.search(said, sentence), sentence
    assert server.url("x") in sentence


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:bad/?secret", "not valid"),
        ("http://[half/?secret", "not valid"),
        ("http:///nothing?secret", "broke|not known|refuses|no valid address"),
        ("http://no-such-host.invalid/?secret", "the host of http://no-such-host.invalid/ is not known"),
        ("rtsp://127.0.0.1:1/x?secret", "rtsp://127.0.0.1:1/x refuses the connection"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, said: str) -> None:
    sentence = refusal(url)
    assert re.search(said, sentence), sentence


def test_a_server_that_hangs_up() -> None:
    with says(b"") as port:
        url = f"http://127.0.0.1:{port}/"
        assert refusal(url) == f"{url} closed the connection without an answer"


def test_a_server_that_speaks_something_else() -> None:
    with says(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert "does not answer as a web server does: BadStatusLine" in refusal(f"http://127.0.0.1:{port}/")


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "t.wav", tone(440, 1, RATE), RATE)
    with web(folder=tmp_path, tls=certificate(tmp_path)) as server:
        url = server.url("t.wav", scheme="https")
        assert refusal(url) == (
            f"the certificate of {url} cannot be trusted: self-signed certificate; "
            "set SSL_CERT_FILE to its authority's certificate if it is your own"
        )
        assert server.asked == [], "nothing was asked over such a connection"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        source = StreamSource(url, VirtualClock())
        assert len(joined(list(source.blocks()))) == RATE


def test_closing_ends_a_read_over_tls_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = write(tmp_path / "t.mp3", tone(440, 2, RATE), RATE, "libmp3lame").read_bytes()
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with web({"live": Answer(sound, length=False, hang=True)}, tls=pem) as server:
        source = StreamSource(server.url("live", scheme="https"), SystemClock())
        with ends_within_a_second(source):
            threading.Event().wait(0.2)


# HLS


def pieces(folder: Path, *more: str, seconds: int = 3) -> list[str]:
    """FFmpeg's command for a tone in pieces of a second."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed; on Debian: apt install ffmpeg")
    tone_of = f"sine=frequency=440:sample_rate=48000:duration={seconds}"
    return [
        "ffmpeg", "-v", "error", "-nostdin", *more, "-f", "lavfi", "-i", tone_of, "-c:a", "aac", "-f", "hls",
        "-hls_time", "1", "-hls_segment_filename", str(folder / "%d.ts"),
    ]  # fmt: skip


def test_pieces_of_a_recording(tmp_path: Path) -> None:
    """Through a master playlist, with a password, which the pieces need as well."""
    command = pieces(tmp_path)
    subprocess.run([*command, "-hls_playlist_type", "vod", str(tmp_path / "a.m3u8")], check=True, timeout=30)
    (tmp_path / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=90000\na.m3u8\n")
    with web(folder=tmp_path) as server:
        clock = VirtualClock()
        source = StreamSource(server.url("master.m3u8", "me:secret"), clock)
        received = joined(list(source.blocks()))
        assert {headers.get("authorization") for _, headers in server.asked} == {"Basic bWU6c2VjcmV0"}
    assert len(received) / 48_000 == pytest.approx(3, abs=0.2)
    assert pitch(received[24_000:-24_000], 48_000) == pytest.approx(440, abs=2)
    assert clock.now == pytest.approx(100 + 3 - LEAD_SECONDS, abs=0.3)


def test_a_live_stream_in_pieces_until_it_stalls(tmp_path: Path) -> None:
    maker = subprocess.Popen([*pieces(tmp_path, "-re", seconds=99), str(tmp_path / "a.m3u8")])
    try:
        with web(folder=tmp_path) as server:
            ready = time.monotonic() + 10
            while not (tmp_path / "1.ts").exists():
                assert time.monotonic() < ready
                threading.Event().wait(0.05)
            with closing(StreamSource(server.url("a.m3u8"), SystemClock(), stall_seconds=2)) as source:
                blocks = source.blocks()
                heard = taken(blocks, 2)
                assert pitch(joined(heard), 48_000) == pytest.approx(440, abs=2)
                maker.send_signal(signal.SIGSTOP)
                said = failure(blocks, 9)
                assert "sends nothing any more" in said or "has sent no sound for 2 s" in said
    finally:
        maker.kill()
        maker.wait(timeout=10)


def test_a_piece_that_is_missing_breaks_the_stream(tmp_path: Path) -> None:
    subprocess.run(
        [*pieces(tmp_path), "-hls_playlist_type", "vod", str(tmp_path / "a.m3u8")], check=True, timeout=30
    )
    (tmp_path / "1.ts").unlink()
    with web(folder=tmp_path) as server:
        source = StreamSource(server.url("a.m3u8"), VirtualClock())
        assert failure(source.blocks(), 5) == f"{server.url('1.ts')} is not there (404)"


def test_pieces_may_come_from_the_web_only(tmp_path: Path) -> None:
    """A playlist from anywhere must not make us read files of this machine."""
    sound = write(tmp_path / "private.wav", tone(440, 1, RATE), RATE)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{sound}\n#EXT-X-ENDLIST\n"
    with web({"a.m3u8": Answer(playlist.encode())}) as server:
        assert server.url("a.m3u8") in refusal(server.url("a.m3u8"))


# RTSP


@pytest.mark.parametrize("path", ["opus", "l16"])
def test_rtsp(path: str) -> None:
    with rtsp() as (port, _):
        url = f"rtsp://127.0.0.1:{port}/{path}"
        with closing(StreamSource(url, SystemClock())) as source:
            assert source.name == source.status().device == url
            assert pitch(joined(taken(source.blocks(), 1)), source.sample_rate) == pytest.approx(440, abs=3)
        assert refusal(f"rtsp://me:secret@127.0.0.1:{port}/none") == (
            f"rtsp://127.0.0.1:{port}/none is not there (404)"
        )


def stopped(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (subprocess.Popen.kill, ("sends nothing any more", "cannot be played")),
        (stopped, ("sends nothing any more", "has sent no sound")),
    ],
)
def test_rtsp_that_breaks_off(act: Callable[[subprocess.Popen[str]], None], said: tuple[str, str]) -> None:
    with rtsp() as (port, server):
        url = f"rtsp://127.0.0.1:{port}/opus"
        with closing(StreamSource(url, SystemClock(), stall_seconds=1.5)) as source:
            blocks = source.blocks()
            taken(blocks, 0.3)
            act(server)
            sentence = failure(blocks, 8)
            assert url in sentence
            assert any(words in sentence for words in said), sentence


def test_closing_ends_rtsp_that_hangs() -> None:
    with rtsp() as (port, server):
        source = StreamSource(f"rtsp://127.0.0.1:{port}/opus", SystemClock(), stall_seconds=2)
        stopped(server)
        with ends_within_a_second(source):
            threading.Event().wait(0.3)


def test_rtsps_checks_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rtsp(certificate(tmp_path)) as (port, _):
        url = f"rtsps://127.0.0.1:{port}/opus"
        assert refusal(url).endswith("is its certificate one that this machine trusts?")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with closing(StreamSource(url, SystemClock())) as source:
            assert pitch(joined(taken(source.blocks(), 0.5)), source.sample_rate) == pytest.approx(440, abs=4)
