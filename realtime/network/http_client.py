"""HTTP for sound: redirects, passwords, titles cut out, and an end that another thread can bring about.

FFmpeg's own HTTP neither shows titles nor can be interrupted, and its TLS believes every certificate
unless told otherwise; so what it reads over HTTP, pieces of HLS included, comes through here.
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
from realtime.network.http_connection import CONNECT_SECONDS, connection_to, explain, origin, refusal
from realtime.network.icy import IcyParser

LARGEST_READ = 16_384
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5


class HttpClient:
    """The HTTP connections of one stream.

    Parameters
    ----------
    url : str
        The user and password in it are sent to this address's host and port only.
    read_seconds : float
        How long an answer, or its next byte, may take.

    Attributes
    ----------
    failure : str
        Why a body broke off, empty while none did; the first reason stays. Bodies end rather than
        raise then, because FFmpeg cannot pass an exception on without writing to the terminal.
    """

    def __init__(self, url: str, read_seconds: float) -> None:
        self.failure = ""
        self.closed = False
        self.read_seconds = read_seconds
        parts = urlsplit(url)
        self._origin = origin(parts)
        self._credentials = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._credentials = "Basic " + base64.b64encode(pair.encode()).decode()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self, url: str, first: int = 0, end: int | None = None) -> HttpBody:
        """Ask for an address, and for those that it redirects to.

        Parameters
        ----------
        url : str
        first, end : int
            Bytes from ``first`` to before ``end``, where not all are wanted.

        Raises
        ------
        SourceError
            One sentence without user, password or query.
        """
        return HttpBody(self, url, first, end)

    def request(
        self, url: str, first: int, end: int | None
    ) -> tuple[str, http.client.HTTPResponse, socket.socket]:
        """The address that answered in the end, its answer, and the socket below it."""
        place = redact_url(url)
        for _ in range(_MOST_REDIRECTS + 1):
            if not url.lower().startswith(("http://", "https://")):
                raise SourceError(f"{place} leads to {redact_url(url)}, which is no http or https address")
            response, sock = self._ask(url, first, end)
            if response.status not in _REDIRECTS:
                break
            self.release(response, sock)
            url = urljoin(url, response.getheader("Location", ""))
        else:
            raise SourceError(f"{place} redirects more than {_MOST_REDIRECTS} times")
        if response.status not in (200, 206) or (first and response.status != 206):
            self.release(response, sock)
            raise SourceError(f"{redact_url(url)} {refusal(response)}")
        return url, response, sock

    def _ask(self, url: str, first: int, end: int | None) -> tuple[http.client.HTTPResponse, socket.socket]:
        place = redact_url(url)
        patience_seconds = CONNECT_SECONDS
        sock: socket.socket | None = None
        try:
            parts = urlsplit(url)
            connection = connection_to(parts)
            connection.connect()
            sock = connection.sock
            with self._lock:
                self._sockets.add(sock)
            if self.closed:
                raise ConnectionAbortedError("closed")
            patience_seconds = self.read_seconds
            sock.settimeout(patience_seconds)
            headers = {"User-Agent": "overheard", "Accept": "*/*", "Icy-MetaData": "1", "Connection": "close"}
            if self._credentials and origin(parts) == self._origin:
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
            # Not chained: what http.client says may hold the whole address.
            raise SourceError(explain(place, error, patience_seconds)) from None

    def release(self, response: http.client.HTTPResponse, sock: socket.socket) -> None:
        """Be done with an answer; called on the thread that reads it."""
        with self._lock:
            self._sockets.discard(sock)
        with contextlib.suppress(OSError):
            response.close()
        with contextlib.suppress(OSError):
            sock.close()

    def close(self) -> None:
        """End every read, now and to come; called on another thread."""
        self.closed = True
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, which takes TLS away under the thread that is reading.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


class HttpBody:
    """An answer's body as a file for PyAV, its metadata cut out; used on one thread.

    Attributes
    ----------
    url : str
        Where it came from in the end.
    content_type : str
        Lower case, without parameters.
    station : str
        The station's name for itself, or empty.
    endless : bool
        Whether it is a station's, so that an end is a failure: it comes with ``icy-`` headers, or
        with no length.
    title : str
        The latest title between the bytes read so far.
    """

    def __init__(self, web: HttpClient, url: str, first: int, end: int | None) -> None:
        self._web = web
        self.url, self._response, self._socket = web.request(url, first, end)
        header = self._response.getheader
        self.content_type = (header("Content-Type") or "").partition(";")[0].strip().lower()
        # http.client reads headers as Latin-1, many stations write UTF-8.
        name = header("icy-name") or header("ice-name") or ""
        self.station = clean_text(decode_text(name.encode("latin-1", "replace")))
        self.title = ""
        interval = header("icy-metaint") or ""
        self._parser = IcyParser(int(interval)) if interval.isdecimal() and int(interval) else None
        self._audio = bytearray()
        self._length = self._response.length
        self.endless = bool(self._parser or name) or (self._length is None and not self._response.chunked)
        # Only a whole file may be sought in, as MP4 with its index at the end needs.
        self._sought = not first and end is None and header("Accept-Ranges") == "bytes" and not self.endless
        self._position = self._target = 0

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes as soon as there are any; none at the end and after a failure."""
        size = LARGEST_READ if size < 0 else size
        try:
            if self._target != self._position:
                self._reopen()
            while not self._audio:
                if self._web.closed or not (data := self._response.read1(LARGEST_READ)):
                    break
                self._take(data)
        except (OSError, http.client.HTTPException, SourceError) as error:
            self._fail(
                str(error)
                if isinstance(error, SourceError)
                else explain(redact_url(self.url), error, self._web.read_seconds)
            )
            return b""
        if not self._audio and self._length is not None and self._position < self._length:
            missing = self._length - self._position
            self._fail(f"{redact_url(self.url)} broke off {missing} bytes before its end")
        part = bytes(self._audio[:size])
        del self._audio[:size]
        self._position += len(part)
        self._target = self._position
        return part

    def _take(self, data: bytes) -> None:
        for piece in self._parser.push(data) if self._parser else (data,):
            if isinstance(piece, str):
                self.title = piece
            else:
                self._audio += piece

    def _fail(self, reason: str) -> None:
        self._web.failure = self._web.failure or reason

    def _reopen(self) -> None:
        self._web.release(self._response, self._socket)
        self._audio.clear()
        _, self._response, self._socket = self._web.request(self.url, self._target, None)
        self._position = self._target

    def seekable(self) -> bool:
        """Whether the server hands out parts."""
        return self._sought

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go on elsewhere; the server is asked at the next read."""
        self._target = (0, self._position, self._length or 0)[whence] + offset
        return self._target

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._target

    def close(self) -> None:
        """Let the connection go."""
        self._web.release(self._response, self._socket)
