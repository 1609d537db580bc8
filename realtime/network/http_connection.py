"""Create HTTP connections with TLS and support for SHOUTcast's status line, and describe their errors."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from urllib.parse import SplitResult

from models.common.text import clean_text, shorten
from realtime.network.reach import ForbiddenAddressError, Reach

MAX_REASON_LETTERS = 60
"""Letters of a server's reason phrase in messages. Longer phrases are cut."""

MAX_SCHEME_LETTERS = 20
"""Letters of the name of a login in messages."""


class _Response(http.client.HTTPResponse):
    """Response whose status line may be SHOUTcast's ``ICY 200 OK``, which is not valid HTTP."""

    def begin(self) -> None:
        if self.headers is not None or not self.fp.peek(1).startswith(b"I"):
            super().begin()
            return
        fields = self.fp.readline(1024).decode("latin-1").split(None, 2)  # ICY, status and reason
        self.headers = self.msg = http.client.parse_headers(self.fp)
        self.version, self.reason = 10, "".join(fields[2:]).strip()
        self.status = self.code = int(fields[1]) if len(fields) > 1 and fields[1].isdecimal() else 500
        self.chunked, self.length, self.will_close = False, None, True


def connect(parts: SplitResult, reach: Reach) -> http.client.HTTPConnection:
    """Connect to the host of a URL. With https the certificate is verified.

    Raises
    ------
    OSError
        If no connection is possible.
    ValueError
        If host or port are not valid.
    """
    secure = parts.scheme.lower() == "https"
    host = parts.hostname or ""
    # With a port of None, http.client would take the end of an IPv6 address for the port.
    port = parts.port or (443 if secure else 80)
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)
    connection.response_class = _Response
    sock = reach.connect(host, port)
    if secure:
        context = ssl.create_default_context()  # with the authorities of the system or of SSL_CERT_FILE
        try:
            sock = context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
    connection.sock = sock
    return connection


def get_origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL."""
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(scheme)


def describe_status(response: http.client.HTTPResponse) -> str:
    """Describe an error status as the predicate of a sentence about the address."""
    known = {
        200: "cannot send a part of a file (200)",
        401: _describe_login(response),
        403: "denies access (403)",
        404: "does not exist (404)",
        503: "is unavailable at the moment (503)",
    }
    other = f"responded {response.status} {shorten(clean_text(response.reason), MAX_REASON_LETTERS)}"
    return known.get(response.status, other.rstrip())


def _describe_login(response: http.client.HTTPResponse) -> str:
    offered = response.headers.get_all("WWW-Authenticate") or []
    if offered and not any(re.search(r"(^|,)\s*basic\b", each, re.IGNORECASE) for each in offered):
        scheme = shorten(clean_text(offered[0].partition(" ")[0]), MAX_SCHEME_LETTERS)
        return f"needs a login of the kind {scheme} (401), and Overheard supports only Basic"
    return "needs a valid user and password (401); write them as scheme://USER:PASSWORD@host"


def describe_error(shown_url: str, error: Exception, timeout_seconds: float) -> str:
    """Describe an error of a connection in one sentence.

    Parameters
    ----------
    shown_url : str
        Address without secrets.
    error : Exception
    timeout_seconds : float
        Timeout that was in effect.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {shown_url} is not trusted: {error.verify_message}; "
            "if it is your own, set SSL_CERT_FILE to the certificate of its authority"
        )
    if isinstance(error, ForbiddenAddressError):
        return f"{shown_url} is {error}; only the user may name such an address, not a station"
    if isinstance(error, ConnectionRefusedError):
        return f"{shown_url} refuses the connection; is the server running?"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{shown_url} closed the connection without a response"
    if isinstance(error, TimeoutError):
        return f"{shown_url} sent nothing within {timeout_seconds:g} s"
    if isinstance(error, socket.gaierror):
        return f"the host of {shown_url} is unknown: {error.strerror}"
    if isinstance(error, OSError):
        return f"the connection to {shown_url} failed: {error.strerror or type(error).__name__}"
    if isinstance(error, http.client.HTTPException):
        return f"{shown_url} did not send a valid HTTP response: {type(error).__name__}"
    return f"{shown_url} is not a valid address"
