"""Parse the metadata of internet radio: ICY titles between the audio bytes, tags and playlists.

The module has no side effects. ``realtime.network.http_client`` reads the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from models.common.text import clean_text, decode_text

_LENGTH_UNIT_BYTES = 16
"""Unit of a metadata block's length in SHOUTcast's protocol."""

_STREAM_TITLE = re.compile(r"StreamTitle='(.*?)(?:';\s*(?=\w+='|$)|'?;?\s*$)", re.IGNORECASE | re.DOTALL)
"""Pattern of a title. Quotes are not escaped, so a title ends at ``';`` before a field or the end."""

_PLAYLIST_ENTRY = re.compile(r"File\d+\s*=\s*(\S.*)", re.IGNORECASE)
_PLAYLIST_FIELD = re.compile(r"\w+\s*=")


class IcyParser:
    """Parser that separates audio and metadata of a response with the header ``icy-metaint``.

    Every ``interval`` bytes of audio are followed by one byte and a metadata block. The byte is the length of
    the block in units of 16 bytes, which is mostly 0.

    Parameters
    ----------
    interval : int
        Value of ``icy-metaint``, at least 1.

    Raises
    ------
    ValueError
        If the interval is less than 1.
    """

    def __init__(self, interval: int) -> None:
        if interval < 1:
            raise ValueError(f"icy-metaint is {interval}; it must be at least 1")
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
            Title at its position in the audio. It is empty if the station clears the title. A block without
            a title yields nothing.
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
        None if the block has no title field. If the field is truncated, the part that exists.
    """
    match = _STREAM_TITLE.search(decode_text(block.rstrip(b"\0")))
    return clean_text(match[1]) if match else None


def format_tag_title(tags: Mapping[str, str]) -> str:
    """Format the title in tags as ``artist - title``. The result is empty if the tags have neither."""
    lower = {name.lower(): clean_text(value) for name, value in tags.items()}
    return " - ".join(lower[name] for name in ("artist", "title") if lower.get(name))


def parse_packed_tags(data: bytes) -> dict[str, str]:
    r"""Parse the tags that FFmpeg packs beside a packet: ``name\0value\0name\0value\0``."""
    texts = [decode_text(text) for text in data.split(b"\0")]
    return dict(zip(texts[0::2], texts[1::2], strict=False))


def is_hls(text: str) -> bool:
    """Return True for an HLS playlist, which lists segments. Other playlists list addresses."""
    return "#EXT-X-" in text


def parse_playlist(text: str) -> str:
    """Return the first address in an ``.m3u`` or ``.pls`` playlist, or an empty text."""
    for line in text.lstrip("\ufeff").splitlines():
        stripped = line.strip()
        if entry := _PLAYLIST_ENTRY.fullmatch(stripped):
            return entry[1]
        if stripped and not stripped.startswith(("#", "[")) and not _PLAYLIST_FIELD.match(stripped):
            return stripped
    return ""
