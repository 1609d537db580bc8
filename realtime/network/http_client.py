"""HTTP client for audio with redirects, credentials, ICY titles, and reads that another thread can interrupt.

FFmpeg's own HTTP client does not report titles, cannot be interrupted, and by default does not verify
certificates. FFmpeg therefore reads everything over HTTP, including segments of HLS, through this client.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import threading
from urllib.parse import quote, unquote, urljoin, urlsplit

from models.common.text import clean_text, decode_text
from models.common.urls import redact_url
from realtime.errors import SourceError
from realtime.network.http_connection import (
    CONNECT_TIMEOUT_SECONDS,
    describe_error,
    describe_status,
    get_origin,
    make_connection,
)
from realtime.network.icy import IcyParser

MAX_READ_BYTES = 16_384
"""Maximum bytes of one read from a connection, and of one read by FFmpeg without a size."""

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class HttpClient:
    """Client for the HTTP connections of one stream.

    Parameters
    ----------
    url : str
        URL of the stream. Its user and password are sent only to the origin of this URL.
    read_timeout_seconds : float
        Time that a response, or its next byte, may take.

    Attributes
    ----------
    failure : str
        Reason of the first body that ended early. Empty if no body did. Bodies end instead of raising errors,
        because FFmpeg would print the traceback of an exception.
    closed : bool
        True after ``close``.
    """

    def __init__(self, url: str, read_timeout_seconds: float) -> None:
        self.failure = ""
        self.closed = False
        self.read_timeout_seconds = read_timeout_seconds
        parts = urlsplit(url)
        self._origin = get_origin(parts)
        self._credentials = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._credentials = "Basic " + base64.b64encode(pair.encode()).decode()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self, url: str, first: int = 0, end: int | None = None) -> HttpBody:
        """Request a URL and follow its redirects.

        Parameters
        ----------
        url : str
        first, end : int
            Range of the requested bytes. ``end`` is exclusive.

        Raises
        ------
        SourceError
            If there is no usable response. The message is one sentence without user, password or query.
        """
        return HttpBody(self, url, first, end)

    def request(
        self, url: str, first: int, end: int | None
    ) -> tuple[str, http.client.HTTPResponse, socket.socket]:
        """Request a URL and follow its redirects. The parameters are those of ``open``.

        Returns
        -------
        str
            The URL after all redirects.
        http.client.HTTPResponse
        socket.socket
            The socket that the response reads from.

        Raises
        ------
        SourceError
            If there is no usable response.
        """
        shown_url = redact_url(url)
        for _ in range(MAX_REDIRECTS + 1):
            if not url.lower().startswith(("http://", "https://")):
                raise SourceError(
                    f"{shown_url} redirects to {redact_url(url)}, which is not an http or https address"
                )
            response, sock = self._send(url, first, end)
            if response.status not in _REDIRECTS:
                break
            self.release(response, sock)
            url = urljoin(url, response.getheader("Location", ""))
        else:
            raise SourceError(f"{shown_url} redirects more than {MAX_REDIRECTS} times")
        if response.status not in (200, 206) or (first and response.status != 206):
            self.release(response, sock)
            raise SourceError(f"{redact_url(url)} {describe_status(response)}")
        return url, response, sock

    def _send(self, url: str, first: int, end: int | None) -> tuple[http.client.HTTPResponse, socket.socket]:
        shown_url = redact_url(url)
        timeout_seconds = CONNECT_TIMEOUT_SECONDS
        sock: socket.socket | None = None
        try:
            parts = urlsplit(url)
            connection = make_connection(parts)
            connection.connect()
            sock = connection.sock
            with self._lock:
                self._sockets.add(sock)
            if self.closed:
                raise ConnectionAbortedError("closed")
            timeout_seconds = self.read_timeout_seconds
            sock.settimeout(timeout_seconds)
            headers = {"User-Agent": "overheard", "Accept": "*/*", "Icy-MetaData": "1", "Connection": "close"}
            if self._credentials and get_origin(parts) == self._origin:
                headers["Authorization"] = self._credentials
            if first or end is not None:
                headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
            query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?") if parts.query else ""
            connection.request("GET", path + query, headers=headers)
            return connection.getresponse(), sock
        except (OSError, http.client.HTTPException, ValueError) as error:
            if sock is not None:
                with self._lock:
                    self._sockets.discard(sock)
                sock.close()
            # Not chained, because the message of http.client may hold the whole address.
            raise SourceError(describe_error(shown_url, error, timeout_seconds)) from None

    def release(self, response: http.client.HTTPResponse, sock: socket.socket) -> None:
        """Close a response and its socket. This method is called on the thread that reads the response."""
        with self._lock:
            self._sockets.discard(sock)
        with contextlib.suppress(OSError):
            response.close()
        with contextlib.suppress(OSError):
            sock.close()

    def close(self) -> None:
        """End all present and future reads. This method is called on another thread."""
        self.closed = True
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    # SSLSocket.shutdown would remove the TLS layer while the other thread reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


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
        self.station = clean_text(decode_text(name.encode("latin-1", "replace")))
        self.title = ""
        interval = header("icy-metaint") or ""
        self._parser = IcyParser(int(interval)) if interval.isdecimal() and int(interval) else None
        self._audio = bytearray()
        self._length = self._response.length
        self.endless = bool(self._parser or name) or (self._length is None and not self._response.chunked)
        # FFmpeg has to seek in an MP4 file with its index at the end. Only a complete file can be sought in.
        accepts_ranges = header("Accept-Ranges") == "bytes"
        self._is_seekable = not first and end is None and accepts_ranges and not self.endless
        self._position = self._target = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes as soon as there are any. Empty bytes mean the end or a failure."""
        size = MAX_READ_BYTES if size < 0 else size
        try:
            if self._target != self._position:
                self._reopen()
            while not self._audio:
                if self._client.closed or not (data := self._response.read1(MAX_READ_BYTES)):
                    break
                self._parse(data)
        except SourceError as error:
            self._fail(str(error))
            return b""
        except (OSError, http.client.HTTPException) as error:
            self._fail(describe_error(redact_url(self.url), error, self._client.read_timeout_seconds))
            return b""
        if not self._audio and self._length is not None and self._position < self._length:
            missing = self._length - self._position
            self._fail(f"{redact_url(self.url)} ended {missing} bytes too early")
        part = bytes(self._audio[:size])
        del self._audio[:size]
        self._position += len(part)
        self._target = self._position
        return part

    def _parse(self, data: bytes) -> None:
        for part in self._parser.push(data) if self._parser else (data,):
            if isinstance(part, str):
                self.title = part
            else:
                self._audio += part

    def _fail(self, reason: str) -> None:
        self._client.failure = self._client.failure or reason

    def _reopen(self) -> None:
        self._client.release(self._response, self._socket)
        self._audio.clear()
        _, self._response, self._socket = self._client.request(self.url, self._target, None)
        self._position = self._target

    def seekable(self) -> bool:
        """Return True if the server can send parts of the file."""
        return self._is_seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position of the next read, which sends a new request."""
        self._target = (0, self._position, self._length or 0)[whence] + offset
        return self._target

    def tell(self) -> int:
        """Return the position of the next read in bytes."""
        return self._target

    def close(self) -> None:
        """Close the connection."""
        self._client.release(self._response, self._socket)
