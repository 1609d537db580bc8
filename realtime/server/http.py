"""Serve HTTP pages on the websocket port, and accept or reject websocket handshakes.

``realtime.server.access`` decides on requests. This module connects it with the websockets library.
Everything runs on the server's event loop.
"""

from __future__ import annotations

import asyncio
import http
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.protocol import State

from models.common.concurrency import run_in_daemon_thread
from realtime.server import access, rate_limit
from realtime.server.access import AccessPolicy, HandshakeRequest, Rejection
from realtime.server.limits import ServerLimits
from realtime.server.log_buffer import LogBuffer
from realtime.server.metrics import CONTENT_TYPE, Metrics, health_report
from realtime.server.rate_limit import TokenBucket
from realtime.server.requests import HistoryEndpoint

logger = logging.getLogger(__name__)

BYTE_RATE = (16_384, 128.0)
"""Bytes that a client may send at once, and each second after that. Pings and fragments of messages count."""
PAGES = ("/healthz", "/metrics", "/history", "/log", "/sound")
"""Paths of the pages, besides ``SESSION_PATH``."""
SESSION_PATH = re.compile(r"/history/([0-9]{1,15})", re.ASCII)
JSON_TYPE = "application/json"

EMPTY_HISTORY = json.dumps({"path": None, "sessions": [], "corrections": 0, "sounds": 0})
NO_SOUND = json.dumps({"error": "no source is analyzed: the analyzer is paused or analyzes many stations"})
NO_SESSION = json.dumps({"error": "there is no such session: the history is off"})


class HandshakeHandler:
    """Handler of requests and handshakes, which keeps track of all open connections.

    Parameters
    ----------
    policy : AccessPolicy
    metrics : Metrics
        Content of ``/metrics`` and ``/healthz``. Rejections are counted in it.
    clients : callable
        Returns the number of clients.
    limits : ServerLimits
    history : HistoryEndpoint, optional
        Content of ``/history``.
    log : LogBuffer, optional
        Content of ``/log``.
    sound : callable, optional
        Returns the content of ``/sound``, or None during a pause.
    """

    def __init__(
        self,
        policy: AccessPolicy,
        metrics: Metrics,
        clients: Callable[[], int],
        limits: ServerLimits,
        history: HistoryEndpoint | None = None,
        log: LogBuffer | None = None,
        sound: Callable[[], dict[str, Any] | None] | None = None,
    ) -> None:
        self._policy = policy
        self._metrics = metrics
        self._clients = clients
        self._max_handshakes = limits.handshakes
        self._history = history
        self._log = log
        self._sound = sound
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._now()
        self._rejections = rate_limit.RejectionLog()
        self._handshakes: dict[ClientConnection, None] = {}  # in order of arrival
        self._admitted: set[ClientConnection] = set()

    def add(self, client: ClientConnection) -> None:
        """Register a new TCP connection. If there are too many handshakes, drop the oldest."""
        self._handshakes[client] = None
        if len(self._handshakes) > self._max_handshakes:
            oldest = next(iter(self._handshakes))
            self._handshakes.pop(oldest)
            self.drop(oldest, "handshakes")

    def remove(self, client: ClientConnection) -> None:
        """Remove a TCP connection that has ended."""
        self._handshakes.pop(client, None)
        self._admitted.discard(client)

    def drop(self, connection: ServerConnection, reason: str) -> None:
        """End a connection without a closing handshake, and count the reason."""
        self.count(reason)
        connection.transport.abort()

    def close(self) -> None:
        """Abort connections that are not admitted yet, and log the remaining rejections."""
        for client in list(self._handshakes):
            client.transport.abort()
        if line := self._rejections.flush(self._now()):
            logger.warning("%s", line)

    def drop_all(self) -> None:
        """Abort all connections without a closing handshake, which some clients never read."""
        for client in [*self._handshakes, *self._admitted]:
            client.transport.abort()

    def count(self, reason: str, sentence: str = "") -> None:
        """Count a connection that was rejected or ended. Log at most one line every few seconds."""
        self._metrics.count_rejection(reason)
        if line := self._rejections.add(reason, self._now()):
            logger.warning("%s%s", line, f"; last reason: {sentence}" if sentence else "")

    def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | Awaitable[Response] | None:
        """Answer an HTTP request, or return None to let the library open the websocket."""
        if not isinstance(connection, ClientConnection) or connection not in self._handshakes:
            # The connection was lost or dropped, so the client does not read the response.
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "")
        if connection.protocol.eof_sent:
            return self._discard(connection)
        headers = request.headers
        handshake = HandshakeRequest(
            request.path,
            tuple(headers.get_all("Origin")),
            tuple(headers.get_all("Authorization")),
            access.parse_subprotocols(headers.get_all("Sec-WebSocket-Protocol")),
            tuple(headers.get_all("Host")),
        )
        method = getattr(request, "method", "GET")  # websockets 15 accepts GET only and has no such attribute
        if (handshake.path in PAGES or SESSION_PATH.fullmatch(handshake.path)) and method in ("GET", "HEAD"):
            return self._serve_page(connection, handshake, method)
        if rejection := access.reject_client(handshake, self._policy, len(self._admitted)):
            return self._reject(connection, rejection)
        connection.is_privileged = access.is_privileged(handshake, self._policy)
        self._handshakes.pop(connection)
        self._admitted.add(connection)  # counted from here on, although the handshake is not complete
        return None

    async def _serve_page(
        self, connection: ServerConnection, handshake: HandshakeRequest, method: str
    ) -> Response:
        page = handshake.path
        needs_privilege = page not in ("/healthz", "/metrics", "/sound")
        if rejection := access.reject_page(
            handshake, self._policy, needs_token=page != "/healthz", needs_privilege=needs_privilege
        ):
            return self._reject(connection, rejection)
        status, text = 200, ""
        if page == "/metrics":
            text = self._metrics.render(self._clients())
        elif page == "/healthz":
            uptime_seconds = self._now() - self._opened_at
            full = access.has_valid_token(handshake, self._policy)
            status, text = health_report(self._metrics.states, self._clients(), uptime_seconds, full=full)
        elif page == "/sound":
            sound = self._sound() if self._sound is not None else None
            status, text = (404, NO_SOUND) if sound is None else (200, json.dumps(sound))
        elif page == "/log":
            text = self._log.to_json() if self._log is not None else json.dumps({"lines": []})
        else:
            status, text = await self._read_history(page.removeprefix("/history").removeprefix("/"))
        response = _respond(connection, status, text, CONTENT_TYPE if page == "/metrics" else JSON_TYPE)
        if method == "HEAD":
            response.body = b""
        if connection.protocol.eof_sent:
            return await self._discard(connection)
        return response

    async def _discard(self, connection: ServerConnection) -> Response:
        """End a connection whose client sent more than its request, before the response.

        The library has closed such a connection already. It would log a traceback about a response.
        """
        self.drop(connection, "bytes")
        await connection.wait_closed()
        return connection.respond(http.HTTPStatus.BAD_REQUEST, "")

    async def _read_history(self, session: str) -> tuple[int, str]:
        history = self._history
        if history is None:
            return (404, NO_SESSION) if session else (200, EMPTY_HISTORY)
        return await run_in_daemon_thread(lambda: history.read_document(session))

    def _reject(self, connection: ServerConnection, rejection: Rejection) -> Response:
        self.count(rejection.reason, rejection.sentence)
        text = rejection.sentence + "\n"
        response = _respond(connection, rejection.status, text, "text/plain; charset=utf-8")
        if rejection.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        elif rejection.status == 503:
            response.headers["Retry-After"] = "5"
        return response


class ClientConnection(ServerConnection):
    """Connection that registers with a ``HandshakeHandler`` and limits the rate of incoming bytes.

    Parameters
    ----------
    handshakes : HandshakeHandler
    *arguments, **options
        Values that the websockets library passes, which creates the connections.

    Attributes
    ----------
    is_privileged : bool
        The client sent the token of privileged clients.
    """

    def __init__(self, handshakes: HandshakeHandler, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_privileged = False
        self._handshakes = handshakes
        self._bucket = TokenBucket(*BYTE_RATE, self.loop.time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        super().connection_made(transport)
        self._handshakes.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        super().connection_lost(exc)
        self._handshakes.remove(self)

    def data_received(self, data: bytes) -> None:
        """Drop a client that sends too many bytes.

        The library answers pings and collects fragments without a limit. The library is called first, so that
        it can report errors of the protocol.
        """
        super().data_received(data)
        if self.state is State.OPEN and not self._bucket.take(self.loop.time(), len(data)):
            self._handshakes.drop(self, "bytes")


def _respond(connection: ServerConnection, status: int, text: str, content_type: str) -> Response:
    response = connection.respond(http.HTTPStatus(status), text)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-store"
    return response
