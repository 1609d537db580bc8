"""One HTTP connection: its TLS, SHOUTcast's way of answering, and sentences on what goes wrong."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import SplitResult

from models.common.text import clean_text

CONNECT_SECONDS = 4.0
"""For each of a host's addresses; two of them fit into the time that opening may take."""


class _Answer(http.client.HTTPResponse):
    """An answer that may begin with SHOUTcast's ``ICY 200 OK``, which is no HTTP."""

    def begin(self) -> None:
        if self.headers is not None or not self.fp.peek(1).startswith(b"I"):
            super().begin()
            return
        words = self.fp.readline(1024).decode("latin-1").split(None, 2)
        self.headers = self.msg = http.client.parse_headers(self.fp)
        self.version, self.reason = 10, "".join(words[2:]).strip()
        self.status = self.code = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 500
        self.chunked, self.length, self.will_close = False, None, True


def connection_to(parts: SplitResult) -> http.client.HTTPConnection:
    """A connection, not yet made, to an address's host; certificates are checked."""
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme.lower() == "https":
        context = ssl.create_default_context()  # the system's authorities, or SSL_CERT_FILE's
        connection = http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
    connection.response_class = _Answer
    return connection


def origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: who may see what is meant for an address."""
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(scheme)


def refusal(response: http.client.HTTPResponse) -> str:
    """What a status means, to stand after the address."""
    known = {
        200: "does not hand out parts of a file (200)",
        401: "needs a user and password, or other ones (401); write them as scheme://USER:PASSWORD@host",
        403: "may not be listened to (403)",
        404: "is not there (404)",
        503: "is not available at present (503)",
    }
    other = f"answers {response.status} {clean_text(response.reason)[:60]}"
    return known.get(response.status, other.rstrip())


def explain(place: str, error: Exception, patience_seconds: float) -> str:
    """One sentence on what went wrong between the host and us."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {place} cannot be trusted: {error.verify_message}; "
            "set SSL_CERT_FILE to its authority's certificate if it is your own"
        )
    if isinstance(error, ConnectionRefusedError):
        return f"{place} refuses the connection; is the server running?"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{place} closed the connection without an answer"
    if isinstance(error, TimeoutError):
        return f"{place} sends nothing: no answer within {patience_seconds:g} s"
    if isinstance(error, socket.gaierror):
        return f"the host of {place} is not known: {error.strerror}"
    if isinstance(error, OSError):
        return f"the connection to {place} broke: {error.strerror or type(error).__name__}"
    if isinstance(error, http.client.HTTPException):
        return f"{place} does not answer as a web server does: {type(error).__name__}"
    return f"{place} is no valid address"
