"""Hostile and odd inputs: texts that FFmpeg would follow, and sound in unusual containers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from tests.support.audio import tone

REFERRING_TEXTS = {
    "sdp": (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 50004 RTP/AVP 97\r\na=rtpmap:97 L16/44100/2\r\n"
    ),
    "concat": "ffconcat version 1.0\nfile sound.wav\n",
    "concat of an address": "ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/secret'\n",
    "hls": (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2.0,\n"
        "{folder}/sound.wav\n#EXT-X-ENDLIST\n"
    ),
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
        '<AdaptationSet contentType="audio"><Representation id="1" bandwidth="64000">'
        "<BaseURL>http://127.0.0.1:{port}/secret</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "rtsp description": (
        "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 50004 RTP/AVP 0\r\n"
    ),
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n",
    "metadata": ";FFMETADATA1\ntitle=sound.wav\n",
    "subtitles": "WEBVTT\n\n00:00.000 --> 00:01.000\nsound.wav\n",
    "smil": '<smil><body><audio src="http://127.0.0.1:{port}/secret"/></body></smil>',
}
"""Texts of a kind each. ``{folder}`` and ``{port}`` stand for a folder with sound.wav and a web server."""


def wav(channels: int = 2, rate: int = 44_100, mask: int | None = None, seconds: float = 0.2) -> bytes:
    """Return a WAV file with a tone of 440 Hz in each channel. ``rate`` is only written in the header."""
    sound = (tone(440, seconds, 44_100) * 32_767).astype("<i2")
    data = np.repeat(sound[:, np.newaxis], channels, axis=1).tobytes()
    frame = 2 * channels
    kind, bytes_per_second = 1 if mask is None else 0xFFFE, rate * frame & 0xFFFFFFFF
    form = struct.pack("<HHIIHH", kind, channels, rate, bytes_per_second, frame & 0xFFFF, 16)
    if mask is not None:
        form += struct.pack("<HHI", 22, 16, mask) + bytes.fromhex("0100000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def caf(labels: Sequence[int], tag: int = 0, seconds: float = 0.2) -> bytes:
    """Return a CAF file whose channels have these labels."""
    channels = max(1, len(labels))
    sound = (tone(440, seconds, 44_100) * 32_767).astype(">i2")
    data = np.repeat(sound[:, np.newaxis], channels, axis=1).tobytes()
    description = struct.pack(">d4sIIIII", 44_100, b"lpcm", 0, 2 * channels, 1, channels, 16)
    layout = struct.pack(">III", tag, 0, len(labels))
    layout += b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in labels)
    return (
        struct.pack(">4sHH", b"caff", 1, 0)
        + b"desc" + struct.pack(">q", len(description)) + description
        + b"chan" + struct.pack(">q", len(layout)) + layout
        + b"data" + struct.pack(">q", len(data) + 4) + bytes(4) + data
    )  # fmt: skip


def large_picture(pixels: int) -> bytes:
    """Return a PNG with a width and height of ``pixels``, which is about a thousand times smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(1), bytes(1 + 3 * pixels)
    data = b"".join(packer.compress(row) for _ in range(pixels)) + packer.flush()
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def id3_cover(picture: bytes) -> bytes:
    """Return the tag of an MP3 file with a picture."""

    def size(n: int) -> bytes:
        return bytes((n >> shift) & 127 for shift in (21, 14, 7, 0))

    content = b"\0image/png\0\3\0" + picture
    frame = b"APIC" + size(len(content)) + b"\0\0" + content
    return b"ID3\4\0\0" + size(len(frame)) + frame
