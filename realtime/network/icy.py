"""What stations send beside sound: titles between the audio bytes, tags, and lists of addresses.

Pure: bytes and text in, values out; ``realtime.network.http_client`` does the reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from models.common.text import clean_text, decode_text

_BLOCK_UNIT = 16
"""Bytes that one step of a metadata block's length byte stands for (SHOUTcast's protocol)."""

_STREAM_TITLE = re.compile(r"StreamTitle='(.*?)(?:';\s*(?=\w+='|$)|'?;?\s*$)", re.IGNORECASE | re.DOTALL)
"""The title ends at ``';`` before the next field or the end: quotes inside are not escaped."""

_PLAYLIST_ENTRY = re.compile(r"File\d+\s*=\s*(\S.*)", re.IGNORECASE)
_PLAYLIST_FIELD = re.compile(r"\w+\s*=")


class IcyParser:
    """Cuts the metadata out of a body that carries ``icy-metaint``.

    After every ``interval`` bytes of audio comes one byte, the length of a metadata block in steps
    of 16 bytes, mostly 0, and then the block.

    Parameters
    ----------
    interval : int
        Bytes of audio between two length bytes, the value of ``icy-metaint``; at least 1.
    """

    def __init__(self, interval: int) -> None:
        if interval < 1:
            raise ValueError(f"icy-metaint is {interval}; it has to be at least 1")
        self._interval = interval
        self._audio_left = interval
        self._block_left = 0
        self._block = bytearray()

    def push(self, data: bytes) -> Iterator[bytes | str]:
        """Take bytes of the body in.

        Yields
        ------
        bytes
            Audio, never empty.
        str
            A title, where it stands between the audio; empty when the station clears it. Blocks
            without a title yield nothing.
        """
        at = 0
        while at < len(data):
            if self._block_left:
                part = data[at : at + self._block_left]
                self._block += part
                self._block_left -= len(part)
                at += len(part)
                if not self._block_left:
                    title = stream_title(bytes(self._block))
                    self._block.clear()
                    if title is not None:
                        yield title
            elif self._audio_left:
                audio = data[at : at + self._audio_left]
                self._audio_left -= len(audio)
                at += len(audio)
                yield audio
            else:
                self._block_left = data[at] * _BLOCK_UNIT
                self._audio_left = self._interval
                at += 1


def stream_title(block: bytes) -> str | None:
    """The title in a metadata block such as ``StreamTitle='Band - Song';StreamUrl='';``.

    None when the block has no title field; a field that is cut off counts as far as it goes.
    """
    found = _STREAM_TITLE.search(decode_text(block.rstrip(b"\0")))
    return clean_text(found[1]) if found else None


def tag_title(tags: Mapping[str, str]) -> str:
    """The title that tags name, ``artist - title``; empty when they name none."""
    lower = {name.lower(): clean_text(value) for name, value in tags.items()}
    return " - ".join(lower[name] for name in ("artist", "title") if lower.get(name))


def packed_tags(data: bytes) -> dict[str, str]:
    r"""Tags as FFmpeg packs them beside a packet: ``name\0value\0name\0value\0``."""
    words = [decode_text(word) for word in data.split(b"\0")]
    return dict(zip(words[0::2], words[1::2], strict=False))


def is_hls(text: str) -> bool:
    """Whether a playlist is of HTTP live streaming, pieces of one stream rather than addresses."""
    return "#EXT-X-" in text


def playlist_address(text: str) -> str:
    """The first address in an ``.m3u`` or ``.pls`` playlist, as it stands there; empty when there is none."""
    for line in text.lstrip("\ufeff").splitlines():
        word = line.strip()
        if entry := _PLAYLIST_ENTRY.fullmatch(word):
            return entry[1]
        if word and not word.startswith(("#", "[")) and not _PLAYLIST_FIELD.match(word):
            return word
    return ""
