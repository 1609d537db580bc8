"""HTTP client for audio with redirects, credentials and ICY titles.

FFmpeg's own HTTP client does not report titles, and by default does not verify certificates. FFmpeg therefore
reads everything over HTTP, including segments of HLS, through this client.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import quote, unquote, urlsplit

from models.common.text import decode_text
from models.common.urls import join_url, redact_url, show_url
from realtime.errors import SourceError
from realtime.network.http_body import HttpBody
from realtime.network.http_connection import connect, describe_error, describe_status, get_origin
from realtime.network.reach import CONNECT_TIMEOUT_SECONDS, Reach

MAX_UNHEARD_BYTES, MAX_UNHEARD_REQUESTS = 32 << 20, 200
"""Bytes and requests without decoded audio after which a stream has failed.

The limits are above what covers of albums and silent segments need. Without them, a server could keep this
program downloading as fast as the network allows.
"""

BYTES_PER_SECOND, REQUESTS_PER_SECOND = 6 << 20, 10
"""Bytes and requests by which a second of decoded audio raises what is left of the limits.

Eight channels with 24 bits at 192 kHz take 4.4 MiB a second, and a film in 4K about as much.
"""

ENTRY_TIMEOUT_SECONDS = 4.0
"""Time that the response of one of several addresses may take, so that the next one is tried in time."""

MAX_COOKIES = 50
"""Cookies after which a stream forgets all earlier ones."""

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
    seek_failure : str
        Reason why the position that FFmpeg sought cannot be read. Empty once FFmpeg has sought back.
    reach : Reach
        Addresses that responses may lead to.
    response_timeout_seconds : float
        Time that a response may take. At first this is ``read_timeout_seconds``.
    """

    def __init__(self, url: str, read_timeout_seconds: float) -> None:
        self.failure = self.seek_failure = ""
        self.read_timeout_seconds = self.response_timeout_seconds = read_timeout_seconds
        parts = urlsplit(url)
        self._shown_url = redact_url(url)
        self._origin = get_origin(parts)
        self._credentials = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._credentials = "Basic " + base64.b64encode(pair.encode()).decode()
        self.reach = Reach()
        self._cookies = CookieJar()
        self._unheard_bytes = self._unheard_requests = 0.0

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
        shown_url = show_url(url)
        for _ in range(MAX_REDIRECTS + 1):
            if not url.lower().startswith(("http://", "https://")):
                raise SourceError(
                    f"{shown_url} redirects to {show_url(url)}, which is not an http or https address"
                )
            response, sock = self._send(url, first, end)
            if response.status not in _REDIRECTS:
                break
            self.release(response, sock)
            # http.client decodes headers as Latin-1, but many servers write UTF-8.
            location = decode_text(response.getheader("Location", "").encode("latin-1", "replace"))
            if not location:
                raise SourceError(f"{show_url(url)} redirects without an address")
            base, url = url, join_url(url, location)
            if not url:
                raise SourceError(f"{show_url(base)} redirects to an address that is not valid")
        else:
            raise SourceError(f"{shown_url} redirects more than {MAX_REDIRECTS} times")
        if response.status not in (200, 206) or (first and response.status != 206):
            self.release(response, sock)
            raise SourceError(f"{show_url(url)} {describe_status(response)}")
        return url, response, sock

    def record_heard(self, seconds: float) -> None:
        """Record that audio was decoded, which raises what is left of the limits of bytes and requests."""
        self._unheard_bytes = max(0.0, self._unheard_bytes - seconds * BYTES_PER_SECOND)
        self._unheard_requests = max(0.0, self._unheard_requests - seconds * REQUESTS_PER_SECOND)

    def record_bytes(self, count: int) -> None:
        """Count received bytes.

        Raises
        ------
        SourceError
            If too many bytes arrived without audio.
        """
        self._unheard_bytes += count
        if self._unheard_bytes > MAX_UNHEARD_BYTES:
            raise SourceError(f"{self._shown_url} sends too little audio in too many bytes")

    def _record_request(self) -> None:
        self._unheard_requests += 1
        if self._unheard_requests > MAX_UNHEARD_REQUESTS:
            raise SourceError(f"{self._shown_url} sends too little audio in too many responses")

    def _send(self, url: str, first: int, end: int | None) -> tuple[http.client.HTTPResponse, socket.socket]:
        self._record_request()
        shown_url = show_url(url)
        timeout_seconds = CONNECT_TIMEOUT_SECONDS
        sock: socket.socket | None = None
        try:
            parts = urlsplit(url)
            connection = connect(parts, self.reach)
            sock = connection.sock
            timeout_seconds = self.response_timeout_seconds
            sock.settimeout(timeout_seconds)
            headers = {"User-Agent": "overheard", "Accept": "*/*", "Icy-MetaData": "1", "Connection": "close"}
            if self._credentials and get_origin(parts) == self._origin:
                headers["Authorization"] = self._credentials
            if first or end is not None:
                headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
            cookie_request = urllib.request.Request(url)
            self._cookies.add_cookie_header(cookie_request)
            if cookies := cookie_request.get_header("Cookie"):
                headers["Cookie"] = cookies
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
            query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?") if parts.query else ""
            connection.request("GET", path + query, headers=headers)
            response = connection.getresponse()
            sock.settimeout(self.read_timeout_seconds)
            if len(self._cookies) > MAX_COOKIES:
                self._cookies.clear()
            self._cookies.extract_cookies(response, cookie_request)
            return response, sock
        except (OSError, http.client.HTTPException, ValueError) as error:
            if sock is not None:
                sock.close()
            # Not chained, because the message of http.client may hold the whole address.
            raise SourceError(describe_error(shown_url, error, timeout_seconds)) from None

    def release(self, response: http.client.HTTPResponse, sock: socket.socket) -> None:
        """Close a response and its socket."""
        with contextlib.suppress(OSError):
            response.close()
        with contextlib.suppress(OSError):
            sock.close()
