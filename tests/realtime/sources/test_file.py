"""File source: formats, pace, damaged files and network addresses."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from models.audio.decoder_process import CAN_FORK
from models.audio.decoding import BLOCK_SECONDS
from models.common.text import format_seconds
from realtime.clock import SystemClock
from realtime.errors import SourceError
from realtime.sources import FileSource
from realtime.sources.factory import open_source
from realtime.sources.file import ArraySource, open_demo, played_file
from tests.support.audio import tone, write
from tests.support.audio_source_contract import RATE, SOUND
from tests.support.clock import VirtualClock
from tests.support.network import make_certificate
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import measure_pitch


def test_a_file_that_is_played_in_real_time_is_live(tmp_path: Path) -> None:
    path = str(write(tmp_path / "tone.flac", SOUND, RATE, "flac"))
    assert [FileSource(path, VirtualClock(), speed=speed).is_live for speed in (0.0, 1.0)] == [False, True]


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels"),
    [
        (".wav", "pcm_s16le", 8_000, 1),
        (".wav", "pcm_f32le", 192_000, 2),
        (".wav", "pcm_u8", 22_050, 1),
        (".flac", "flac", 96_000, 8),
        (".mp3", "libmp3lame", 44_100, 2),
        (".ogg", "libopus", 48_000, 2),
        (".opus", "libopus", 48_000, 2),
        (".m4a", "aac", 44_100, 6),
    ],
)
def test_files_of_all_kinds(tmp_path: Path, suffix: str, codec: str, rate: int, channels: int) -> None:
    samples = np.repeat(tone(440, 2, rate)[:, np.newaxis], channels, axis=1)
    source = FileSource(str(write(tmp_path / f"tone{suffix}", samples, rate, codec)), VirtualClock())
    assert source.sample_rate == rate
    received = np.concatenate([block.samples for block in source.blocks()])
    assert len(received) / rate == pytest.approx(2, abs=0.1)
    assert measure_pitch(received, rate) == pytest.approx(440, abs=2)


def test_a_file_plays_in_real_time_without_drift(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = FileSource(str(write(tmp_path / "t.wav", SOUND, RATE)), clock, speed=2.0)
    blocks = list(source.blocks())
    assert clock.slept_until[-1] == pytest.approx(100 + 0.5)
    assert blocks[-1].captured_at == clock.slept_until[-1]
    assert clock.slept_until == sorted(clock.slept_until)


def test_a_repeated_file_goes_on_counting(tmp_path: Path) -> None:
    source = FileSource(str(write(tmp_path / "t.wav", SOUND, RATE)), VirtualClock(), repeat=True)
    positions = [block.position for block in itertools.islice(source.blocks(), 120)]
    assert positions[-1] > len(SOUND)
    source.close()


def test_a_truncated_file_plays_what_it_holds(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.flac", tone(440, 10, RATE), RATE, "flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    source = FileSource(str(tmp_path / "cut.flac"), VirtualClock())
    seconds = sum(len(block.samples) for block in source.blocks()) / RATE
    assert 3 < seconds < 7


def test_damaged_packets_are_left_out_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = bytearray(write(tmp_path / "t.mp3", tone(440, 10, RATE), RATE, "libmp3lame").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3_000] = b"\xff\xfb\x12" * 1_000
    (tmp_path / "damaged.mp3").write_bytes(content)
    source = FileSource(str(tmp_path / "damaged.mp3"), VirtualClock())
    seconds = sum(len(block.samples) for block in source.blocks()) / RATE
    assert seconds > 8
    assert re.search(r"damaged.mp3: skipped \d+ damaged packets?$", caplog.text, re.MULTILINE)


def test_a_stream_that_changes_its_form_midway(tmp_path: Path) -> None:
    """Joined MP3 files change from mono to stereo and to another rate. The source keeps its first rate."""
    stereo = np.repeat(tone(440, 2, 22_050)[:, np.newaxis], 2, axis=1)
    parts = [
        write(tmp_path / "mono.mp3", tone(440, 2, RATE), RATE, "libmp3lame"),
        write(tmp_path / "stereo.mp3", stereo, 22_050, "libmp3lame"),
    ]
    (tmp_path / "both.mp3").write_bytes(b"".join(part.read_bytes() for part in parts))
    source = FileSource(str(tmp_path / "both.mp3"), VirtualClock())
    received = np.concatenate([block.samples for block in source.blocks()])
    assert len(received) / RATE == pytest.approx(4, abs=0.2)
    assert measure_pitch(received[3 * RATE :], RATE) == pytest.approx(440, abs=2)


def test_all_blocks_have_one_length_whatever_the_length_of_frames(tmp_path: Path) -> None:
    source = FileSource(str(write(tmp_path / "t.flac", SOUND, RATE, "flac")), VirtualClock())
    *whole, last = [len(block.samples) for block in source.blocks()]
    assert set(whole) == {round(BLOCK_SECONDS * RATE)}
    assert sum(whole) + last == len(SOUND)


def test_sound_without_a_decoder_is_explained(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "t.wav", SOUND, RATE).read_bytes())
    content[20:22] = b"\x99\x09"  # a format tag that no codec uses
    (tmp_path / "odd.wav").write_bytes(content)
    with pytest.raises(SourceError, match="has an audio format that FFmpeg cannot decode"):
        FileSource(str(tmp_path / "odd.wav"), VirtualClock())


def test_a_file_on_a_web_server_plays_at_its_pace_and_ends(tmp_path: Path) -> None:
    write(tmp_path / "tone.wav", SOUND, RATE)
    with web_server(folder=tmp_path) as server:
        source = open_source(server.url("tone.wav?key=1", "someone:secret"), 1.0, SystemClock())
        assert source.name == server.url("tone.wav"), "the name must show neither the password nor the query"
        received = np.concatenate([block.samples for block in source.blocks()])
    assert np.abs(received - SOUND).max() < 1e-4


def test_a_network_address_that_is_not_there(tmp_path: Path) -> None:
    with web_server(folder=tmp_path) as server:
        with pytest.raises(SourceError, match=rf"^{server.url('no.wav')} does not exist \(404\)$"):
            open_source(server.url("no.wav", "someone:secret"), 0.0, VirtualClock())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.wav", None, "does not exist"),
        ("empty.wav", b"", r"is empty \(0 bytes\)"),
        ("text.mp3", b"not sound at all, only words " * 99, "not audio that FFmpeg can decode"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVE", "FFmpeg can decode"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=expected):
        list(FileSource(str(path), VirtualClock()).blocks())


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a directory; name an audio file"):
        FileSource(str(tmp_path), VirtualClock())


def test_a_picture_holds_no_sound(tmp_path: Path) -> None:
    import matplotlib.image

    matplotlib.image.imsave(tmp_path / "picture.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(SourceError, match="its format is not an accepted audio container"):
        FileSource(str(tmp_path / "picture.png"), VirtualClock())


def test_the_demonstration_is_small_and_repeats() -> None:
    source = open_source("demo", 0.0, VirtualClock())
    assert isinstance(source, FileSource)
    assert source.duration_seconds is not None
    assert 300 <= source.duration_seconds <= 360
    assert Path(source.location).stat().st_size < 3.2e6
    assert (Path(source.location).parent / "CREDITS.md").exists()
    end = source.duration_seconds * source.sample_rate
    assert any(block.position > end for block in itertools.islice(source.blocks(), 30_000))
    source.close()
    assert open_demo(1.0, VirtualClock()).name == "demonstration"


def test_at_speed_0_a_network_address_is_read_as_fast_as_it_is_analyzed(tmp_path: Path) -> None:
    """A reading thread would fill the queue, which would drop the audio that is not yet analyzed."""
    write(tmp_path / "tone.wav", SOUND, RATE)
    with web_server(folder=tmp_path) as server:
        source = open_source(server.url("tone.wav"), 0.0, VirtualClock())
        assert isinstance(source, FileSource)
        assert sum(len(block.samples) for block in source.blocks()) == len(SOUND)


def test_at_speed_0_a_certificate_that_is_not_trusted_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg's own HTTP client accepts every certificate."""
    write(tmp_path / "tone.wav", SOUND, RATE)
    certificate = make_certificate(tmp_path)
    with web_server(folder=tmp_path, tls=certificate) as server:
        url = server.url("tone.wav", scheme="https")
        with pytest.raises(SourceError, match=f"the certificate of {url} is not trusted: self-signed"):
            open_source(url, 0.0, VirtualClock())
        with pytest.raises(SourceError, match=f"the certificate of {url} is not trusted: self-signed"):
            FileSource(url, VirtualClock())
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        blocks = FileSource(url, VirtualClock()).blocks()
        assert sum(len(block.samples) for block in blocks) == len(SOUND)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#EXTM3U\nfile:///etc/passwd\n", "names file:///etc/passwd, which is not a stream on the web"),
        (b"#EXTM3U\nhttp://10.0.0.1/\n", "an address of a private network; only the user may name such"),
        (b"<html><body>Welcome", "is a web page and not audio"),
        (b"v=0\no=- 0 0 IN IP4 0\nc=IN IP4 0\nm=audio 9 RTP/AVP 0\n", "is not audio that FFmpeg can decode"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is not audio that FFmpeg can decode"),
    ],
)
def test_at_speed_0_a_network_address_is_handled_like_a_station(content: bytes, expected: str) -> None:
    with web_server({"x": Answer(content)}) as server:
        with pytest.raises(SourceError, match=expected):
            FileSource(server.url("x", "me:secret"), VirtualClock())


@pytest.mark.parametrize("url", ["http://[half?secret", "http://a:bad/?secret", "https://a:99999999/?secret"])
def test_at_speed_0_an_address_that_is_not_valid_is_one_sentence(url: str) -> None:
    with pytest.raises(SourceError, match="the network address is not valid") as refusal:
        FileSource(url, VirtualClock())
    assert "secret" not in str(refusal.value)


def test_at_speed_0_a_network_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    content = write(tmp_path / "tone.wav", SOUND, RATE).read_bytes()
    answer = Answer(content[:-9_000], headers={"Content-Length": str(len(content))}, length=False)
    with web_server({"x": answer}) as server:
        source = FileSource(server.url("x"), VirtualClock())
        with pytest.raises(SourceError, match="ended 9000 bytes too early"):
            list(source.blocks())


@pytest.mark.parametrize("location", ["song\0.mp3", "file:///a%00b"])
def test_a_path_with_a_nul_character_is_one_sentence(location: str) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*: embedded null byte"):
        FileSource(location, VirtualClock())


def test_at_speed_0_a_network_file_without_sound_is_an_error(tmp_path: Path) -> None:
    content = write(tmp_path / "tone.wav", SOUND, RATE).read_bytes()
    with web_server({"x": Answer(content[: content.index(b"data") + 8])}) as server:  # the header
        with pytest.raises(SourceError, match=r"/x contains no audio that FFmpeg can decode$"):
            list(FileSource(server.url("x"), VirtualClock()).blocks())


@pytest.mark.parametrize("can_fork", [True, False])
def test_an_open_file_of_this_process_is_decoded(
    can_fork: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that is not forked, as on macOS, has other open files with these numbers."""
    if can_fork and not CAN_FORK:
        pytest.skip("needs Linux")
    monkeypatch.setattr("models.audio.isolated.CAN_FORK", can_fork)
    with write(tmp_path / "t.wav", SOUND, RATE).open("rb") as file:
        source = FileSource(f"/dev/fd/{file.fileno()}", VirtualClock())
        assert sum(len(block.samples) for block in source.blocks()) == len(SOUND)


def test_seconds_are_rounded_down() -> None:
    assert format_seconds(4.969) == "4.96 s"
    assert format_seconds(200) == "3 min 20 s"


def test_the_path_of_a_file_that_is_played_once_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    path = write(tmp_path / "song.wav", tone(300, 6), RATE)
    monkeypatch.chdir(tmp_path)
    assert played_file(FileSource("song.wav", clock)) == str(path)
    demonstration = FileSource(str(path), clock, repeat=True, name="demonstration")
    assert played_file(demonstration) == played_file(ArraySource(np.zeros(1), RATE, clock)) == ""
    demonstration.close()
    nameless = path.rename(tmp_path / "caf\udce9.wav")  # bytes that are not valid UTF-8, which SQLite refuses
    assert played_file(FileSource(str(nameless), clock)) == ""
