"""Parse the metadata of internet radio: ICY titles between the audio bytes, and tags.

The module has no side effects. ``realtime.network.http_body`` reads the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from models.common.text import clean_label, decode_text, unescape_entities

_LENGTH_UNIT_BYTES = 16
"""Unit of a metadata block's length in SHOUTcast's protocol."""

_TITLE_BEGIN = re.compile(rb"StreamTitle='", re.IGNORECASE)
_NEXT_FIELD = re.compile(rb"';\s*+\w++='")
"""End of a title before another field. Quotes are not escaped.

The possessive quantifiers keep the search linear, whatever a station sends.
"""


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
    block = block.rstrip(b"\0")
    if (begin := _TITLE_BEGIN.search(block)) is None:
        return None
    if end := _NEXT_FIELD.search(block, begin.end()):
        title = block[begin.end() : end.start()]
    else:
        title = block[begin.end() :].rstrip().removesuffix(b";").removesuffix(b"'")
    return clean_label(unescape_entities(decode_text(title)))


def format_tag_title(tags: Mapping[str, str]) -> str:
    """Format the title in tags as ``artist - title``. The result is empty if the tags have neither."""
    lower = {name.lower(): value for name, value in tags.items()}
    parts = [clean_label(lower.get(name, "")) for name in ("artist", "title")]
    return clean_label(" - ".join(part for part in parts if part))
