"""Before a connection is accepted: our pages are answered, others let in or sent away.

The rules are in ``realtime.server.access``; here they meet the requests of the websockets library. Everything
runs on the server's event loop.
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
"""What a client may send at once, and each second after that; pings and pieces of messages count."""
PAGES = ("/healthz", "/metrics", "/history", "/log")
JSON = "application/json"
SESSION = re.compile(r"/history/([0-9]{1,15})", re.ASCII)

WITHOUT_HISTORY = json.dumps({"path": None, "sessions": [], "corrections": 0, "sounds": 0})
NO_SESSION = json.dumps({"error": "there is no such session: the history is off"})


class HandshakeHandler:
    """Knows every connection from its arrival to its end, and which of them were let in.

    Parameters
    ----------
    rules : Rules
        Who may connect.
    metrics : Metrics
        What the two pages show; refusals are counted in it.
    clients : callable
        Returns how many clients there are.
    limits : ServerLimits
    history : HistoryPages, optional
        What ``/history`` shows.
    log : LogTail, optional
        What ``/log`` shows.
    """

    def __init__(
        self,
        rules: AccessPolicy,
        metrics: Metrics,
        clients: Callable[[], int],
        limits: ServerLimits,
        history: HistoryEndpoint | None = None,
        log: LogBuffer | None = None,
    ) -> None:
        self._rules = rules
        self._metrics = metrics
        self._clients = clients
        self._max_handshakes = limits.handshakes
        self._history = history
        self._log = log
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._now()
        self._refusals = rate_limit.RejectionLog()
        self._handshakes: dict[ClientConnection, None] = {}  # in order of arrival
        self._admitted: set[ClientConnection] = set()

    def arrived(self, client: ClientConnection) -> None:
        """A TCP connection was made; nothing is known of it yet."""
        self._handshakes[client] = None
        if len(self._handshakes) > self._max_handshakes:
            oldest = next(iter(self._handshakes))
            self._handshakes.pop(oldest)
            self.drop(oldest, "handshakes")

    def left(self, client: ClientConnection) -> None:
        """A TCP connection came to its end."""
        self._handshakes.pop(client, None)
        self._admitted.discard(client)

    def drop(self, connection: ServerConnection, reason: str) -> None:
        """End a connection without a word, and count why."""
        self.count(reason)
        connection.transport.abort()

    def close(self) -> None:
        """End those that have not been let in yet, and say what has not been said of refusals."""
        for client in list(self._handshakes):
            client.transport.abort()
        if line := self._refusals.rest(self._now()):
            logger.warning("%s", line)

    def drop_all(self) -> None:
        """End everybody without a word; for those who do not hear one."""
        for client in [*self._handshakes, *self._admitted]:
            client.transport.abort()

    def count(self, reason: str, sentence: str = "") -> None:
        """Count a connection that was refused or ended; log it, at most one line every few seconds."""
        self._metrics.count_refusal(reason)
        if line := self._refusals.add(reason, self._now()):
            logger.warning("%s%s", line, f"; the last: {sentence}" if sentence else "")

    def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | Awaitable[Response] | None:
        """Answer the request here, or return None to let the library open the websocket."""
        if not isinstance(connection, ClientConnection) or connection not in self._handshakes:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "")  # it left; nobody reads this
        headers = request.headers
        knock = HandshakeRequest(
            request.path,
            tuple(headers.get_all("Origin")),
            tuple(headers.get_all("Authorization")),
            access.offered_protocols(headers.get_all("Sec-WebSocket-Protocol")),
            tuple(headers.get_all("Host")),
        )
        method = getattr(request, "method", "GET")  # websockets 15 took nothing else and did not say
        if (knock.path in PAGES or SESSION.fullmatch(knock.path)) and method in ("GET", "HEAD"):
            return self._page(connection, knock, method)
        if refusal := access.reject_client(knock, self._rules, len(self._admitted)):
            return self._refuse(connection, refusal)
        connection.trusted = access.is_privileged(knock, self._rules)
        self._handshakes.pop(connection)
        self._admitted.add(connection)  # counted from here on: the library may still be at its handshake
        return None

    async def _page(self, connection: ServerConnection, knock: HandshakeRequest, method: str) -> Response:
        page = knock.path
        private = page not in ("/healthz", "/metrics")
        if refusal := access.reject_page(
            knock, self._rules, needs_token=page != "/healthz", needs_trust=private
        ):
            return self._refuse(connection, refusal)
        status, text = 200, ""
        if page == "/metrics":
            text = self._metrics.render(self._clients())
        elif page == "/healthz":
            uptime_seconds = self._now() - self._opened_at
            full = access.has_valid_token(knock, self._rules)
            status, text = health_report(self._metrics.states, self._clients(), uptime_seconds, full=full)
        elif page == "/log":
            text = self._log.page() if self._log is not None else json.dumps({"lines": []})
        else:
            status, text = await self._history_page(page.removeprefix("/history").removeprefix("/"))
        response = _respond(connection, status, text, CONTENT_TYPE if page == "/metrics" else JSON)
        if method == "HEAD":
            response.body = b""
        return response

    async def _history_page(self, rest: str) -> tuple[int, str]:
        history = self._history
        if history is None:
            return (404, NO_SESSION) if rest else (200, WITHOUT_HISTORY)
        return await run_in_daemon_thread(lambda: history.page(rest))

    def _refuse(self, connection: ServerConnection, refusal: Rejection) -> Response:
        self.count(refusal.reason, refusal.sentence)
        response = _respond(connection, refusal.status, refusal.sentence + "\n", "text/plain; charset=utf-8")
        if refusal.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        elif refusal.status == 503:
            response.headers["Retry-After"] = "5"
        return response


class ClientConnection(ServerConnection):
    """A connection whose arrival, end and number of bytes the door knows; the library makes them."""

    def __init__(self, door: HandshakeHandler, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.trusted = False
        """Whether it showed the token of those who may change things."""
        self._door = door
        self._bucket = TokenBucket(*BYTE_RATE, self.loop.time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the door, too."""
        super().connection_made(transport)
        self._door.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the door, too."""
        super().connection_lost(exc)
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        """End who sends too much: the library answers pings and collects pieces without end.

        The library goes first, so that it can say what is wrong with a message.
        """
        super().data_received(data)
        if self.state is State.OPEN and not self._bucket.take(self.loop.time(), len(data)):
            self._door.drop(self, "bytes")


def _respond(connection: ServerConnection, status: int, text: str, kind: str) -> Response:
    response = connection.respond(http.HTTPStatus(status), text)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = kind
    response.headers["Cache-Control"] = "no-store"
    return response
