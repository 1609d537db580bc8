"""Requests to the analyzer: JSON documents over HTTP, and controls over a websocket.

Every request has a deadline, verifies certificates (``SSL_CERT_FILE`` names further trusted certificates) and
uses no proxy. Errors carry a ``Fault``, which the page translates.
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
"""Maximum length of a response in bytes. A session of twelve hours has less than one million."""
MAX_DETAIL_CHARACTERS: Final = 300
"""Characters of the analyzer's message that are shown."""
DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
"""Ports of addresses without a port, by scheme."""


class Fault(StrEnum):
    """Kinds of errors, each with its own remedy. The values are keys of the catalog ``history.fault``."""

    NO_TOKEN = "no_token"
    """The analyzer requires a token, and the page has none."""
    REFUSED = "refused"
    """The analyzer rejects this page. ``detail`` is its message."""
    UNSUPPORTED = "unsupported"
    """The analyzer does not know the request."""
    UNREACHABLE = "unreachable"
    """No server answers at the address."""
    TIMEOUT = "timeout"
    """The analyzer did not respond in time."""
    CERTIFICATE = "certificate"
    """This machine does not trust the analyzer's certificate."""
    BROKEN = "broken"
    """The response cannot be used. ``detail`` names the problem."""
    GONE = "gone"
    """The analyzer does not have the requested object. ``detail`` is its message."""
    INTERNAL = "internal"
    """The analyzer has an internal error. ``detail`` is its message."""
    DENIED = "denied"
    """The analyzer rejects the control. ``detail`` names the reason."""


class AnalyzerError(OverheardError):
    """A request to the analyzer failed.

    Attributes
    ----------
    fault : Fault
    detail : str
        Message of the analyzer, or the problem with its response. The text is untrusted and often empty.
    status : int
        HTTP status, 0 if there was no response.
    """

    def __init__(self, fault: Fault, detail: str = "", status: int = 0) -> None:
        super().__init__(f"the analyzer: {fault}{f', {detail}' if detail else ''}")
        self.fault = fault
        self.detail = detail
        self.status = status


def fetch_json(
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
        Websocket address of the analyzer. HTTP uses the same host, port and folder.
    token : str
        Token for the analyzer, empty if there is none. It is sent as a header.
    path : str
        Path below the address, with a leading ``/``.
    deadline_seconds : float
        Seconds from connecting to the last byte. The system's name lookup may exceed them.
    max_bytes : int
        Maximum length of the response.

    Raises
    ------
    AnalyzerError
        If the request fails or the response is not a JSON object.
    """
    parts = urlsplit(analyzer)
    ends_at = time.monotonic() + deadline_seconds
    try:
        with _connect(parts, deadline_seconds, ends_at) as sock:
            port = parts.port or DEFAULT_PORTS[parts.scheme]
            connection = http.client.HTTPConnection(parts.hostname or "", port)
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
    """Return a unique id for a control."""
    return uuid.uuid4().hex


def send_control(
    analyzer: str, token: str, control: AnyControl, *, deadline_seconds: float = DEADLINE_SECONDS
) -> Outcome:
    """Send one control over a new connection and wait for the response.

    Returns
    -------
    Outcome
        Code and detail of the response. The detail is untrusted text.

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
        except ValueError:  # not a message of this protocol
            continue
        if isinstance(message, ResponseMessage) and message.id == control_id:
            return message


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextlib.contextmanager
def _connect(parts: SplitResult, seconds: float, ends_at: float) -> Iterator[socket.socket]:
    """Open a connection that is shut down at the deadline.

    A socket timeout does not suffice, since each byte of a slow server restarts it.
    """
    host = parts.hostname or ""
    raw = socket.create_connection((host, parts.port or DEFAULT_PORTS[parts.scheme]), timeout=seconds)
    if parts.scheme == "wss":
        context = ssl.create_default_context()
        with raw:  # the TLS socket takes over the raw socket
            sock: socket.socket = context.wrap_socket(
                raw, server_hostname=host, do_handshake_on_connect=False
            )
    else:
        sock = raw
    timer = threading.Timer(max(0.0, ends_at - time.monotonic()), _shut_down, (sock,))
    timer.daemon = True
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        yield sock
    finally:
        timer.cancel()
        sock.close()


def _shut_down(sock: socket.socket) -> None:
    """Shut down a socket on the thread of the timer.

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
    if status in (404, 426):  # an older analyzer answers as to a websocket handshake
        return AnalyzerError(Fault.UNSUPPORTED, detail, status)
    return AnalyzerError(Fault.INTERNAL, f"{detail} (HTTP {status})".strip(), status)


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
