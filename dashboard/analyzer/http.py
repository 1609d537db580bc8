"""Requests of a page to the analyzer: JSON over HTTP, and one control with its response.

Every request ends in time, checks certificates (``SSL_CERT_FILE`` names a certificate of one's own) and uses
no proxy. Errors are reported as a ``Fault``, which the page translates.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from dashboard.analyzer.feed import MAX_MESSAGE_BYTES, PROTOCOL
from models.common.text import clean_text
from models.errors import OverheardError
from realtime.protocol.messages import ResponseMessage, decode, encode
from realtime.protocol.requests import AnyControl, Outcome

DEADLINE_SECONDS: Final = 5.0
"""Seconds that a request may take by default."""
MAX_RESPONSE_BYTES: Final = 16 << 20
"""Bytes of a response. A session of twelve hours has under one million."""
MAX_DETAIL_CHARACTERS: Final = 300
PORTS: Final = {"ws": 80, "wss": 443}


class Fault(StrEnum):
    """Kinds of errors, each with a remedy of its own. The values are keys of the page's catalogs."""

    NO_TOKEN = "no_token"
    """The analyzer requires a token, and the page has none."""
    REFUSED = "refused"
    """The analyzer rejects this page. ``detail`` is its message."""
    UNSUPPORTED = "old"
    """The analyzer does not know the request."""
    UNREACHABLE = "away"
    """No server answers at the address."""
    TIMEOUT = "late"
    """The analyzer did not respond in time."""
    CERTIFICATE = "certificate"
    """This machine does not trust the analyzer's certificate."""
    BROKEN = "broken"
    """The response cannot be used. ``detail`` names the problem."""
    GONE = "gone"
    """The analyzer does not have the requested object. ``detail`` is its message."""
    TROUBLE = "trouble"
    """The analyzer has an internal error. ``detail`` is its message."""
    DENIED = "denied"
    """The analyzer rejects the control. ``detail`` names the reason."""


class AnalyzerError(OverheardError):
    """A request to the analyzer failed.

    Attributes
    ----------
    fault : Fault
    detail : str
        The analyzer's message, or the problem with its response. Often empty. Untrusted text.
    status : int
        HTTP status, 0 if there was no response.
    """

    def __init__(self, fault: Fault, detail: str = "", status: int = 0) -> None:
        super().__init__(f"the analyzer: {fault}{f', {detail}' if detail else ''}")
        self.fault = fault
        self.detail = detail
        self.status = status


def get(
    analyzer: str,
    token: str,
    path: str,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_RESPONSE_BYTES,
) -> dict[str, Any]:
    """Send a GET request and return the JSON object of the response.

    Parameters
    ----------
    analyzer : str
        The analyzer's websocket. HTTP has the same host, port and folder.
    token : str
        Sent as a header, unless it is empty.
    path : str
        Path with its leading ``/``.
    deadline_seconds : float
        Seconds from connecting to the last byte. They do not bound the name lookup by the system.
    max_bytes : int
        Largest length of the response.

    Raises
    ------
    AnalyzerError
        If the request fails or the response is not a JSON object.
    """
    parts = urlsplit(analyzer)
    ends_at = time.monotonic() + deadline_seconds
    try:
        with _connect(parts, deadline_seconds, ends_at) as sock:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or PORTS[parts.scheme])
            connection.sock = sock
            connection.request("GET", parts.path.rstrip("/") + path, headers=_headers(token))
            with connection.getresponse() as response:
                content = response.read(max_bytes + 1)
                status = response.status
                if len(content) > max_bytes:
                    raise AnalyzerError(Fault.BROKEN, f"more than {max_bytes} bytes", status)
                if response.length:  # the server or the deadline cut the response
                    raise http.client.IncompleteRead(content, response.length)
    except ssl.SSLCertVerificationError as error:
        raise AnalyzerError(Fault.CERTIFICATE, error.verify_message) from error
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        timed_out = isinstance(error, TimeoutError) or time.monotonic() >= ends_at
        raise AnalyzerError(Fault.TIMEOUT if timed_out else Fault.UNREACHABLE) from error
    return _parse_body(status, content, token)


def new_control_id() -> str:
    """Return an id that no other control has."""
    return uuid.uuid4().hex


def send_control(
    analyzer: str, token: str, control: AnyControl, *, deadline_seconds: float = DEADLINE_SECONDS
) -> Outcome:
    """Send one control over a connection of its own and wait for its response.

    Returns
    -------
    Outcome
        The detail is untrusted text.

    Raises
    ------
    AnalyzerError
        If the request fails, or if the analyzer rejects the control.
    """
    ends_at = time.monotonic() + deadline_seconds
    wire_log = logging.getLogger(f"{__name__}.wire")
    wire_log.setLevel(logging.WARNING)  # at DEBUG the library would write the token to the log
    try:
        with connect(
            analyzer,
            additional_headers=_headers(token),
            subprotocols=[PROTOCOL],
            open_timeout=deadline_seconds,
            close_timeout=1,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
            logger=wire_log,
        ) as websocket:
            websocket.send(encode(control))
            response = _wait_for_response(websocket, control.id, ends_at)
    except InvalidStatus as error:
        body = bytes(error.response.body or b"")
        raise _status_error(error.response.status_code, body, token) from error
    except TimeoutError as error:
        raise AnalyzerError(Fault.TIMEOUT) from error
    except ssl.SSLCertVerificationError as error:
        raise AnalyzerError(Fault.CERTIFICATE, error.verify_message) from error
    except (OSError, UnicodeError, InvalidHandshake, WebSocketException) as error:
        raise AnalyzerError(Fault.UNREACHABLE) from error
    detail = _clean_detail(response.detail)
    if not response.ok:
        raise AnalyzerError(Fault.DENIED, detail)
    return Outcome(response.code, detail)


def _wait_for_response(websocket: ClientConnection, control_id: str, ends_at: float) -> ResponseMessage:
    """Wait for the response to a control. Raises TimeoutError at ``ends_at``."""
    while True:
        try:
            message = decode(websocket.recv(timeout=max(0.0, ends_at - time.monotonic())))
        except ValueError:  # not of this protocol
            continue
        if isinstance(message, ResponseMessage) and message.id == control_id:
            return message


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextlib.contextmanager
def _connect(parts: SplitResult, seconds: float, ends_at: float) -> Iterator[socket.socket]:
    """Open a connection that is cut at the deadline.

    A socket timeout does not suffice: a server that sends a byte now and then would outlast it.
    """
    host = parts.hostname or ""
    raw = socket.create_connection((host, parts.port or PORTS[parts.scheme]), timeout=seconds)
    if parts.scheme == "wss":
        context = ssl.create_default_context()
        with raw:  # the TLS socket takes it over
            sock: socket.socket = context.wrap_socket(
                raw, server_hostname=host, do_handshake_on_connect=False
            )
    else:
        sock = raw
    timer = threading.Timer(max(0.0, ends_at - time.monotonic()), _cut, (sock,))
    timer.daemon = True
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        yield sock
    finally:
        timer.cancel()
        sock.close()


def _cut(sock: socket.socket) -> None:
    """Shut a socket down, on the timer's thread.

    ``SSLSocket.shutdown`` is not called, since it removes TLS while another thread reads.
    """
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _parse_body(status: int, content: bytes, token: str) -> dict[str, Any]:
    if status != 200:
        raise _status_error(status, content, token)
    document = _parse_object(content)
    if not document:
        raise AnalyzerError(Fault.BROKEN, "no JSON object", status)
    return document


def _status_error(status: int, content: bytes, token: str) -> AnalyzerError:
    """Return the error for an HTTP status other than 200.

    The body is a sentence, or a JSON object with the sentence as ``error``.
    """
    error = _parse_object(content).get("error")
    detail = _clean_detail(error if isinstance(error, str) else content.decode("utf-8", "replace"))
    if status in (401, 403):
        return AnalyzerError(Fault.REFUSED if token else Fault.NO_TOKEN, detail, status)
    if status == 404 and error is not None:
        return AnalyzerError(Fault.GONE, detail, status)
    if status in (404, 426):  # an old analyzer takes the request for a websocket handshake
        return AnalyzerError(Fault.UNSUPPORTED, detail, status)
    return AnalyzerError(Fault.TROUBLE, f"{detail} (HTTP {status})".strip(), status)


def _parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object of finite numbers. Returns an empty mapping for other content."""
    try:
        document = json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _parse_float(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _reject_constant(digits)


def _clean_detail(text: str) -> str:
    """Return the text as one line of at most ``MAX_DETAIL_CHARACTERS`` characters."""
    return clean_text(text[: 4 * MAX_DETAIL_CHARACTERS])[:MAX_DETAIL_CHARACTERS]
