"""Parsers for the metadata of internet radio: ICY titles between the audio bytes, tags and playlists.

These functions are pure. ``realtime.network.http_client`` reads the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from models.common.text import clean_text, decode_text

_LENGTH_UNIT_BYTES = 16
"""Unit of the byte that holds the length of a metadata block (SHOUTcast's protocol)."""

_STREAM_TITLE = re.compile(r"StreamTitle='(.*?)(?:';\s*(?=\w+='|$)|'?;?\s*$)", re.IGNORECASE | re.DOTALL)
"""The title ends at ``';`` before the next field or at the end, because quotes in it are not escaped."""

_PLAYLIST_ENTRY = re.compile(r"File\d+\s*=\s*(\S.*)", re.IGNORECASE)
_PLAYLIST_FIELD = re.compile(r"\w+\s*=")


class IcyParser:
    """Separates audio and metadata of a response with the header ``icy-metaint``.

    After every ``interval`` bytes of audio follows one byte, the length of a metadata block in units of 16
    bytes, and then the block. The length is mostly 0.

    Parameters
    ----------
    interval : int
        Bytes of audio between two length bytes, the value of ``icy-metaint``; at least 1.

    Raises
    ------
    ValueError
        If the interval is less than 1.
    """

    def __init__(self, interval: int) -> None:
        if interval < 1:
            raise ValueError(f"icy-metaint is {interval}; it has to be at least 1")
        self._interval = interval
        self._audio_left = interval
        self._block_left = 0
        self._block = bytearray()

    def push(self, data: bytes) -> Iterator[bytes | str]:
        """Add bytes of the body.

        Yields
        ------
        bytes
            Audio, never empty.
        str
            A title at its place between the audio; empty if the station clears it. A block without a title
            yields nothing.
        """
        at = 0
        while at < len(data):
            if self._block_left:
                part = data[at : at + self._block_left]
                self._block += part
                self._block_left -= len(part)
                at += len(part)
                if not self._block_left:
                    title = parse_stream_title(bytes(self._block))
                    self._block.clear()
                    if title is not None:
                        yield title
            elif self._audio_left:
                audio = data[at : at + self._audio_left]
                self._audio_left -= len(audio)
                at += len(audio)
                yield audio
            else:
                self._block_left = data[at] * _LENGTH_UNIT_BYTES
                self._audio_left = self._interval
                at += 1


def parse_stream_title(block: bytes) -> str | None:
    """Parse the title in a metadata block such as ``StreamTitle='Band - Song';StreamUrl='';``.

    Returns
    -------
    str or None
        None if the block has no title field. A truncated field gives the part that is there.
    """
    found = _STREAM_TITLE.search(decode_text(block.rstrip(b"\0")))
    return clean_text(found[1]) if found else None


def format_tag_title(tags: Mapping[str, str]) -> str:
    """Format the title in tags as ``artist - title``; empty if the tags have neither."""
    lower = {name.lower(): clean_text(value) for name, value in tags.items()}
    return " - ".join(lower[name] for name in ("artist", "title") if lower.get(name))


def parse_packed_tags(data: bytes) -> dict[str, str]:
    r"""Parse the tags that FFmpeg packs beside a packet: ``name\0value\0name\0value\0``."""
    words = [decode_text(word) for word in data.split(b"\0")]
    return dict(zip(words[0::2], words[1::2], strict=False))


def is_hls(text: str) -> bool:
    """Tell a playlist of HTTP live streaming, which lists segments, from a list of addresses."""
    return "#EXT-X-" in text


def parse_playlist(text: str) -> str:
    """Return the first address in an ``.m3u`` or ``.pls`` playlist; empty if there is none."""
    for line in text.lstrip("\ufeff").splitlines():
        word = line.strip()
        if entry := _PLAYLIST_ENTRY.fullmatch(word):
            return entry[1]
        if word and not word.startswith(("#", "[")) and not _PLAYLIST_FIELD.match(word):
            return word
    return ""
