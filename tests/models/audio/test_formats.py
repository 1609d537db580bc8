"""Accepted containers, and file names that look like protocols."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import av.format
import psutil
import pytest

from models.audio.file import AudioFile, decode_file
from models.audio.formats import SOUND_FORMATS
from models.errors import AudioError
from realtime.clock import SystemClock
from realtime.sources.factory import open_source
from tests.support.audio import tone, write
from tests.support.hostile import REFERRING_TEXTS
from tests.support.stream_servers import Answer, web_server
from tests.support.streams import opening_error
from tests.support.waiting import POLL_SECONDS

RATE = 22_050

REFERRING_FORMATS = (
    "alsa", "applehttp", "concat", "dash", "fbdev", "hls", "image2", "imf", "kmsgrab", "lavfi", "oss", "rtp",
    "rtsp", "sap", "sdp", "tty", "video4linux2", "vobsub", "x11grab", "webm_dash_manifest", "ffmetadata",
)  # fmt: skip
"""Containers of FFmpeg that open other files, addresses, ports or devices."""

NAMES = (
    "10:30 mix.wav", "AC:DC.wav", "concat:a.wav", "file:b.wav", "http:c.wav", "data:d.wav", "pipe:0",
    "md5:e.wav", "subfile,,start,0,end,9,,:f.wav", "crypto:g.wav", "cache:h.wav", "tcp:1.wav", "-", "-i.wav",
    "a|b.wav", "%03d.wav", "*.wav", "a?b#c.wav", " j.wav", "\N{LATIN SMALL LETTER E WITH ACUTE}:k.wav",
)  # fmt: skip
"""Names in which FFmpeg could see a protocol, a pattern or an option."""


@contextmanager
def udp_sockets_of_decoders() -> Iterator[list[object]]:
    """Collect the UDP sockets of all processes below this one during the block."""
    found: list[object] = []
    ended = threading.Event()

    def collect() -> None:
        while not ended.wait(POLL_SECONDS):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):  # the process has ended
                    found.extend(process.net_connections("udp"))

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        yield found
    finally:
        ended.set()
        collector.join()


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return write(tmp_path / "sound.wav", tone(440, 1, RATE), RATE).read_bytes()


def test_every_accepted_container_exists_and_refers_to_nothing() -> None:
    known = {name for each in av.format.formats_available for name in each.split(",")}
    assert set(SOUND_FORMATS) <= known
    assert not set(SOUND_FORMATS) & set(REFERRING_FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_a_relative_name_with_a_colon_is_a_file(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    assert len(decode_file(name, RATE)) == RATE
    source = open_source(name, 0.0, SystemClock())
    assert sum(len(block.samples) for block in source.blocks()) == RATE


@pytest.mark.parametrize("kind", REFERRING_TEXTS)
def test_a_text_that_refers_to_sound_is_no_sound_itself(kind: str, content: bytes, tmp_path: Path) -> None:
    """FFmpeg recognizes each of the texts by its content, whatever the suffix of the file is."""
    (tmp_path / "list.wav").write_bytes(REFERRING_TEXTS[kind].format(folder=tmp_path, port=9).encode())
    with pytest.raises(AudioError, match="not audio that FFmpeg can decode"):
        AudioFile(str(tmp_path / "list.wav"))


@pytest.mark.parametrize("kind", sorted(REFERRING_TEXTS.keys() - {"hls"}))  # this program itself plays HLS
def test_a_station_cannot_make_the_decoder_open_anything(kind: str, content: bytes, tmp_path: Path) -> None:
    with web_server({"secret": Answer(content)}) as other:
        text = REFERRING_TEXTS[kind].format(folder=tmp_path, port=other.port).encode()
        answer = Answer(text, headers={"Content-Type": "audio/mpeg"})
        with web_server({"x": answer}) as server:
            with udp_sockets_of_decoders() as udp:
                message = opening_error(server.url("x"))
        assert other.requests == []
    assert "is not audio that FFmpeg can decode" in message
    assert udp == []
