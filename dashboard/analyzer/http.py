"""What a page asks of the analyzer beside its feed: JSON over HTTP, and one control with its answer.

Both end in time whatever the other side does, check certificates (``SSL_CERT_FILE`` names one's own),
go through no proxy, and say what went wrong as a ``Fault`` that the page puts into words.
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
MAX_RESPONSE_BYTES: Final = 16 << 20
"""Bytes. A session of twelve hours has under one million."""
MAX_DETAIL_CHARACTERS: Final = 300
PORTS: Final = {"ws": 80, "wss": 443}


class Fault(StrEnum):
    """What can go wrong, each with another remedy."""

    NO_TOKEN = "no_token"
    """The page has no token, and the analyzer wants one."""
    REFUSED = "refused"
    """The analyzer does not let this page in; ``said`` is its sentence."""
    OLD = "old"
    """It does not know what it was asked for."""
    AWAY = "away"
    """Nobody answers there."""
    LATE = "late"
    """It did not answer in time."""
    CERTIFICATE = "certificate"
    """Its certificate is none that this machine trusts."""
    BROKEN = "broken"
    """It answers with something that cannot be used; ``said`` tells what."""
    GONE = "gone"
    """It does not have what was asked for; ``said`` is its sentence."""
    TROUBLE = "trouble"
    """It has a fault of its own; ``said`` is its sentence."""
    DENIED = "denied"
    """It understood the control and does not do it; ``said`` tells why."""


class AnalyzerError(OverheardError):
    """The analyzer did not do what it was asked.

    Attributes
    ----------
    fault : Fault
    said : str
        The analyzer's own sentence, or what was wrong with its answer; often empty. Untrusted text.
    status : int
        Of HTTP; 0 where there was none.
    """

    def __init__(self, fault: Fault, said: str = "", status: int = 0) -> None:
        super().__init__(f"the analyzer: {fault}{f', {said}' if said else ''}")
        self.fault = fault
        self.said = said
        self.status = status


def get(
    analyzer: str,
    token: str,
    path: str,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_RESPONSE_BYTES,
) -> dict[str, Any]:
    """GET a JSON object.

    Parameters
    ----------
    analyzer : str
        Its websocket; HTTP is at the same host, port and folder.
    token : str
        Sent as a header; empty for none.
    path : str
        From ``/`` on.
    deadline_seconds : float
        For all of it, from the connection to the last byte; looking up a name is the system's affair.
    max_bytes : int
        Length of the response.

    Raises
    ------
    AnalyzerError
    """
    parts = urlsplit(analyzer)
    ends_at = time.monotonic() + deadline_seconds
    try:
        with _opened(parts, deadline_seconds, ends_at) as sock:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or PORTS[parts.scheme])
            connection.sock = sock
            connection.request("GET", parts.path.rstrip("/") + path, headers=_headers(token))
            with connection.getresponse() as answer:
                content = answer.read(max_bytes + 1)
                status = answer.status
                if len(content) > max_bytes:
                    raise AnalyzerError(Fault.BROKEN, f"more than {max_bytes} bytes", status)
                if answer.length:  # the other side, or the deadline, broke it off
                    raise http.client.IncompleteRead(content, answer.length)
    except ssl.SSLCertVerificationError as error:
        raise AnalyzerError(Fault.CERTIFICATE, error.verify_message) from error
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError) or time.monotonic() >= ends_at
        raise AnalyzerError(Fault.LATE if late else Fault.AWAY) from error
    return _understood(status, content, token)


def new_control_id() -> str:
    """Return an id for a control; no other control has it."""
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
        Also if the analyzer responds that it does not do it.
    """
    ends_at = time.monotonic() + deadline_seconds
    wire = logging.getLogger(f"{__name__}.wire")
    wire.setLevel(logging.WARNING)  # at DEBUG the library would write the token to the log
    try:
        with connect(
            analyzer,
            additional_headers=_headers(token),
            subprotocols=[PROTOCOL],
            open_timeout=deadline_seconds,
            close_timeout=1,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
            logger=wire,
        ) as peer:
            peer.send(encode(control))
            response = _response(peer, control.id, ends_at)
    except InvalidStatus as error:
        body = bytes(error.response.body or b"")
        raise _refusal(error.response.status_code, body, token) from error
    except TimeoutError as error:
        raise AnalyzerError(Fault.LATE) from error
    except ssl.SSLCertVerificationError as error:
        raise AnalyzerError(Fault.CERTIFICATE, error.verify_message) from error
    except (OSError, UnicodeError, InvalidHandshake, WebSocketException) as error:
        raise AnalyzerError(Fault.AWAY) from error
    said = _sentence(response.detail)
    if not response.ok:
        raise AnalyzerError(Fault.DENIED, said)
    return Outcome(response.code, said)


def _response(peer: ClientConnection, control_id: str, ends_at: float) -> ResponseMessage:
    """Wait for the response to a control; a TimeoutError once ``ends_at`` has passed."""
    while True:
        try:
            message = decode(peer.recv(timeout=max(0.0, ends_at - time.monotonic())))
        except ValueError:  # not of this protocol
            continue
        if isinstance(message, ResponseMessage) and message.id == control_id:
            return message


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextlib.contextmanager
def _opened(parts: SplitResult, seconds: float, ends_at: float) -> Iterator[socket.socket]:
    """A connection that is cut at the deadline: one byte now and then would outlast every timeout."""
    host = parts.hostname or ""
    raw = socket.create_connection((host, parts.port or PORTS[parts.scheme]), timeout=seconds)
    if parts.scheme == "wss":
        context = ssl.create_default_context()
        with raw:  # the wrapped one takes it over
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
    """Called on the timer's thread; not SSLSocket's own, which takes TLS away under the reader."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _understood(status: int, content: bytes, token: str) -> dict[str, Any]:
    if status != 200:
        raise _refusal(status, content, token)
    found = _parsed(content)
    if not found:
        raise AnalyzerError(Fault.BROKEN, "no JSON object", status)
    return found


def _refusal(status: int, content: bytes, token: str) -> AnalyzerError:
    """What an HTTP status other than 200 means; its body is a sentence, or JSON with one as ``error``."""
    error = _parsed(content).get("error")
    said = _sentence(error if isinstance(error, str) else content.decode("utf-8", "replace"))
    if status in (401, 403):
        return AnalyzerError(Fault.REFUSED if token else Fault.NO_TOKEN, said, status)
    if status == 404 and error is not None:
        return AnalyzerError(Fault.GONE, said, status)
    if status in (404, 426):  # an analyzer that does not know the page takes the request for a websocket's
        return AnalyzerError(Fault.OLD, said, status)
    return AnalyzerError(Fault.TROUBLE, f"{said} (HTTP {status})".strip(), status)


def _parsed(text: str | bytes) -> dict[str, Any]:
    """A JSON object of finite numbers; empty for anything else."""
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)


def _sentence(text: str) -> str:
    """One line, cut."""
    return clean_text(text[: 4 * MAX_DETAIL_CHARACTERS])[:MAX_DETAIL_CHARACTERS]
