"""Create HTTP connections with TLS and support for SHOUTcast's status line, and describe their errors."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import SplitResult

from models.common.text import clean_text, shorten

CONNECT_TIMEOUT_SECONDS = 4.0
"""Timeout for each address of a host. Two addresses can be tried before the opening of a stream times out."""

MAX_REASON_LETTERS = 60
"""Letters of a server's reason phrase in messages. Longer phrases are cut."""


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


def make_connection(parts: SplitResult) -> http.client.HTTPConnection:
    """Create an unconnected connection to the host of a URL. With https it verifies certificates."""
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme.lower() == "https":
        context = ssl.create_default_context()  # with the authorities of the system or of SSL_CERT_FILE
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=CONNECT_TIMEOUT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_TIMEOUT_SECONDS)
    connection.response_class = _Response
    return connection


def get_origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL."""
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(scheme)


def describe_status(response: http.client.HTTPResponse) -> str:
    """Describe an error status as the predicate of a sentence about the address."""
    known = {
        200: "cannot send a part of a file (200)",
        401: "needs a valid user and password (401); write them as scheme://USER:PASSWORD@host",
        403: "denies access (403)",
        404: "does not exist (404)",
        503: "is unavailable at the moment (503)",
    }
    other = f"responded {response.status} {shorten(clean_text(response.reason), MAX_REASON_LETTERS)}"
    return known.get(response.status, other.rstrip())


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
