"""Separate the links of a chained Ogg stream, each of which is a stream of its own.

Stations start a new link with each song, and joined files consist of links. A link may have other tags,
another rate and other channels than the last one, which FFmpeg's reader of Ogg does not support.
"""

from __future__ import annotations

from typing import Final, Protocol

CAPTURE: Final = b"OggS"
"""First bytes of a page, and of a stream."""

_HEADER_BYTES: Final = 27
"""Length of a page's header without its table of segments."""

_BEGINS: Final = 2
"""Flag of the first page of a logical stream."""


class Readable(Protocol):
    """File that can be read."""

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes. No bytes mean the end."""
        ...


class OggLinks:
    """Readable file that ends with each link of a chained Ogg stream. ``next_link`` continues it.

    Content that is not Ogg passes unchanged, without a second link.

    Parameters
    ----------
    file : Readable
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._pending = bytearray()  # read from the file, and not yet passed on
        self._body_left = 0  # bytes of the current page that belong to the reader
        self._is_ogg: bool | None = None
        self._in_header = True  # the link has begun, and only first pages have followed
        self._at_link = False
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes of the link. No bytes mean the end of the link."""
        size = 65_536 if size < 0 else size
        while not self._at_link:
            if self._is_ogg is None and (self._fill(len(CAPTURE), size) or self._ended):
                self._is_ogg = self._pending.startswith(CAPTURE)
            if self._is_ogg is False:
                if self._pending:
                    return self._take(size)
                return self._file.read(size)
            if self._body_left:
                if not self._pending and not self._fill(1, size):
                    return b""
                part = self._take(min(size, self._body_left))
                self._body_left -= len(part)
                return part
            if not self._begin_page(size):
                return self._take(size)  # the end, or damage
        return b""

    def next_link(self) -> bool:
        """Skip the rest of the link, and continue with the next one. Return False if there is none."""
        while self.read():
            pass
        began, self._at_link, self._in_header = self._at_link, False, True
        return began

    def _begin_page(self, size: int) -> bool:
        """Read the header of the next page. Return False if there is none."""
        if not self._fill(_HEADER_BYTES, size):
            return False
        if not self._pending.startswith(CAPTURE):
            found = self._pending.find(CAPTURE, 1)
            self._body_left = found if found > 0 else max(1, len(self._pending) - len(CAPTURE) + 1)
            return True
        segments = self._pending[_HEADER_BYTES - 1]
        if not self._fill(_HEADER_BYTES + segments, size):
            return False
        begins = bool(self._pending[5] & _BEGINS)
        if begins and not self._in_header:
            self._at_link = True
            return True
        self._in_header = begins
        table = self._pending[_HEADER_BYTES : _HEADER_BYTES + segments]
        self._body_left = _HEADER_BYTES + segments + sum(table)
        return True

    def _fill(self, length: int, size: int) -> bool:
        """Read until ``length`` bytes are pending. Return False at the end of the file."""
        while len(self._pending) < length and not self._ended:
            data = self._file.read(size)
            self._ended = not data
            self._pending += data
        return len(self._pending) >= length

    def _take(self, size: int) -> bytes:
        part = bytes(self._pending[:size])
        del self._pending[:size]
        return part
