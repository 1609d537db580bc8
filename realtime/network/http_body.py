"""Bodies of HTTP responses as files for PyAV, decompressed and without ICY metadata."""

from __future__ import annotations

import http.client
import re
import zlib
from typing import TYPE_CHECKING

from models.common.text import clean_label, clean_text, decode_text, shorten, unescape_entities
from models.common.urls import show_url
from realtime.errors import SourceError
from realtime.network.http_connection import describe_error
from realtime.network.icy import IcyParser

if TYPE_CHECKING:
    from realtime.network.http_client import HttpClient

MAX_READ_BYTES = 16_384
"""Maximum bytes of one read from a connection, and of one read by FFmpeg without a size."""

MAX_ENCODING_LETTERS = 20
"""Letters of the name of an encoding in messages."""

_INTERVAL = re.compile(r"[1-9][0-9]{0,8}")
_GZIP_MAGIC = b"\x1f\x8b\x08"


class HttpBody:
    """Body of a response as a file for PyAV, without the ICY metadata. It must be used on one thread.

    Attributes
    ----------
    url : str
        URL after all redirects.
    content_type : str
        Content type in lower case, without parameters.
    station : str
        Name of the station. Empty if the server does not send a name.
    endless : bool
        True for a station, whose end is a failure. A station's response has ``icy-`` headers or no length.
    title : str
        Last title that was read.
    """

    def __init__(self, client: HttpClient, url: str, first: int, end: int | None) -> None:
        self._client = client
        self.url, self._response, self._socket = client.request(url, first, end)
        header = self._response.getheader
        self.content_type = (header("Content-Type") or "").partition(";")[0].strip().lower()
        # http.client decodes headers as Latin-1, but many stations write UTF-8.
        name = header("icy-name") or header("ice-name") or ""
        self.station = clean_label(unescape_entities(decode_text(name.encode("latin-1", "replace"))))
        self.title = ""
        interval = header("icy-metaint") or ""
        self._parser = IcyParser(int(interval)) if _INTERVAL.fullmatch(interval) else None
        self._audio = bytearray()
        self._decompressor: zlib._Decompress | None = None
        if self._response.length == 0 and (self._parser or name):
            self._response.length = None  # a station, whose server states a length that is not true
        self._length = self._response.length
        self.endless = bool(self._parser or name) or (self._length is None and not self._response.chunked)
        encoding = clean_text(header("Content-Encoding") or "").lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._decompress()
        elif encoding not in ("", "identity"):
            self.close()
            shown = shorten(encoding, MAX_ENCODING_LETTERS)
            raise SourceError(f"{show_url(self.url)} is compressed with {shown}, which Overheard cannot read")
        # FFmpeg has to seek in an MP4 file with its index at the end. Only a complete file can be sought in.
        accepts_ranges = header("Accept-Ranges") == "bytes" and self._length is not None
        self._is_seekable = not first and end is None and accepts_ranges and not self.endless
        self._position = self._target = 0
        self._is_at_start = not first

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes as soon as there are any. Empty bytes mean the end or a failure."""
        size = MAX_READ_BYTES if size < 0 else size
        if self._target != self._position and not self._reopen():
            return b""
        self._fill(1)
        if not self._audio and self._length is not None and self._position < self._length:
            missing = self._length - self._position
            self._fail(f"{show_url(self.url)} ended {missing} bytes too early")
        part = bytes(self._audio[:size])
        del self._audio[:size]
        self._position += len(part)
        self._target = self._position
        return part

    def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes, which stay unread, or fewer at the end or after a failure."""
        self._fill(size)
        return bytes(self._audio[:size])

    def _fill(self, size: int) -> None:
        """Receive until ``size`` bytes wait to be read, or until the end or a failure."""
        try:
            while len(self._audio) < size and (data := self._receive()):
                self._client.record_bytes(len(data))
                self._parse(data)
        except SourceError as error:
            self._fail(str(error))
        except zlib.error:
            self._fail(f"{show_url(self.url)} sends damaged compressed data")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._fail(describe_error(show_url(self.url), error, self._client.read_timeout_seconds))

    def _receive(self) -> bytes:
        """Return the next bytes after decompression, or empty bytes at the end."""
        data = b"" if self._decompressor else self._response.read1(MAX_READ_BYTES)
        if self._is_at_start and data.startswith(_GZIP_MAGIC):
            self._decompress()
        self._is_at_start = False
        if self._decompressor is None:
            return data
        while not self._decompressor.eof:
            data = self._decompressor.unconsumed_tail or data or self._response.read1(MAX_READ_BYTES)
            if not data:
                break
            if plain := self._decompressor.decompress(data, MAX_READ_BYTES):
                return plain
            data = b""
        return b""

    def _decompress(self) -> None:
        """Decompress the rest of the body. Some servers compress although the request does not allow that."""
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
        self._length = None
        self._is_seekable = False

    def _parse(self, data: bytes) -> None:
        for part in self._parser.push(data) if self._parser else (data,):
            if isinstance(part, str):
                self.title = part
            else:
                self._audio += part

    def _fail(self, reason: str) -> None:
        self._client.failure = self._client.failure or reason

    def _reopen(self) -> bool:
        """Continue at the position that was sought. After a failure the old response stays open."""
        try:
            _, response, sock = self._client.request(self.url, self._target, None)
        except SourceError as error:
            self._client.seek_failure = str(error)
            return False
        self._client.release(self._response, self._socket)
        self._audio.clear()
        self._response, self._socket = response, sock
        self._position = self._target
        return True

    def seekable(self) -> bool:
        """Return True if the server can send parts of the file."""
        return self._is_seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position of the next read, which sends a new request.

        Returns
        -------
        int
            The position, or -1 if the position is not in the file or depends on its unknown length.
        """
        if self._length is None:
            return -1
        target = (0, self._target, self._length)[whence] + offset
        if not 0 <= target <= self._length:
            return -1
        self._target = target
        if self._target == self._position:
            self._client.seek_failure = ""
        return self._target

    def tell(self) -> int:
        """Return the position of the next read in bytes."""
        return self._target

    def close(self) -> None:
        """Close the connection."""
        self._client.release(self._response, self._socket)
