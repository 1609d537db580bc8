"""Websocket server that accepts clients, sends them messages and carries out their controls."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from models.common.concurrency import run_in_daemon_thread
from models.errors import OverheardError
from realtime.config import ServerSettings
from realtime.errors import ServerError, SourceError
from realtime.protocol.builders import response_message
from realtime.protocol.codes import ResponseCode
from realtime.protocol.messages import VERSION
from realtime.protocol.requests import (
    AnyControl,
    CorrectLabel,
    DeleteHistory,
    Outcome,
    RequestError,
    Subscribe,
    decode_request,
)
from realtime.server import access
from realtime.server.access import AccessPolicy
from realtime.server.broadcaster import Broadcaster, encode_text
from realtime.server.descriptors import report_exhaustion, reserve_connections
from realtime.server.http import ClientConnection, HandshakeHandler
from realtime.server.limits import ServerLimits
from realtime.server.log_buffer import LogBuffer
from realtime.server.outbox import ClientOutbox
from realtime.server.rate_limit import TokenBucket
from realtime.server.requests import NO_HISTORY, UNPRIVILEGED, HistoryEndpoint, SourceController

logger = logging.getLogger(__name__)


class EstimateServer:
    """Websocket server for the messages of one or more sources and any number of clients.

    All methods must be called on one event loop.

    Parameters
    ----------
    broadcaster : Broadcaster
        Holds the hello of each source. Its messages go to all clients.
    settings : ServerSettings
        Token, allowed origins, number of clients and the files for TLS. ``start`` takes the address.
    origins : iterable of str
        Web origins that may connect besides those of the settings.
    control_token : str
        Token of privileged clients, used if the settings have no token.
    controller : SourceController, optional
        Carries out the controls of privileged clients.
    history : HistoryEndpoint, optional
        History that privileged clients read and correct.
    log : LogBuffer, optional
        Log lines that privileged clients read.
    sound : callable, optional
        Describes what is playing for ``/sound``, or returns None during a pause.
    limits : ServerLimits, optional
    """

    def __init__(
        self,
        broadcaster: Broadcaster,
        settings: ServerSettings,
        origins: Iterable[str] = (),
        *,
        control_token: str = "",
        controller: SourceController | None = None,
        history: HistoryEndpoint | None = None,
        log: LogBuffer | None = None,
        sound: Callable[[], dict[str, Any] | None] | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        self.broadcaster = broadcaster
        self._controller = controller
        self._settings = settings
        self._origins = frozenset((*settings.allow_origin, *origins))
        self._control_token = control_token
        self._history = history
        self._log = log
        self._sound = sound
        self._limits = limits or ServerLimits()
        self._controls: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Start to listen for connections.

        Parameters
        ----------
        host : str
        port : int
            0 selects a free port.

        Returns
        -------
        int
            The port.

        Raises
        ------
        ServerError
            If the address is in use or not one of this machine, or if the certificate cannot be used.
        """
        tls = _load_tls_context(self._settings)
        plan = reserve_connections(self._settings.max_clients, self._limits)
        policy = AccessPolicy(self._origins, self._settings.token, plan.clients, self._control_token)
        broadcaster = self.broadcaster
        self._handshakes = HandshakeHandler(
            policy,
            broadcaster.metrics,
            lambda: broadcaster.clients,
            replace(self._limits, handshakes=plan.handshakes),
            self._history,
            self._log,
            self._sound,
        )
        report_exhaustion(self._handshakes.count)
        # At level DEBUG the library logs the headers of every request, with the token.
        library_logger = logging.getLogger(f"{__name__}.wire")
        library_logger.setLevel(logging.WARNING)
        try:
            self._server = await serve(
                self._handle,
                host,
                port,
                select_subprotocol=_select_protocol,
                process_request=self._handshakes.process_request,
                compression=None,  # messages are small, and each client would need 256 kB more
                max_size=self._limits.request_bytes,
                server_header=None,
                open_timeout=self._limits.open_seconds,
                ping_interval=self._limits.ping_seconds,
                ping_timeout=self._limits.ping_seconds,
                close_timeout=self._limits.close_seconds,
                logger=library_logger,
                create_connection=partial(ClientConnection, self._handshakes),  # type: ignore[arg-type]  # any factory will do
                backlog=plan.backlog,
                ssl=tls,
            )
        except (OSError, UnicodeError) as error:
            raise ServerError(
                f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}; "
                "is the analyzer running already? --port selects another port"
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self, reason: str = "the analyzer stops") -> None:
        """Close all connections and stop listening. Clients receive the first 123 bytes of the reason."""
        for control in self._controls:
            control.cancel()
        if self._server is None:
            return
        self._server.close(code=CloseCode.GOING_AWAY, reason=reason.encode()[:123].decode(errors="ignore"))
        self._handshakes.close()
        try:
            async with asyncio.timeout(2 * self._limits.close_seconds):
                await self._server.wait_closed()
        except TimeoutError:  # a client does not read, so the closing handshake cannot complete
            self._handshakes.drop_all()
            await self._server.wait_closed()

    async def _handle(self, connection: ServerConnection) -> None:
        now = asyncio.get_running_loop().time
        limits = self._limits
        bucket = TokenBucket(limits.request_burst, limits.requests_per_second, now())
        outbox = ClientOutbox(
            is_privileged=isinstance(connection, ClientConnection) and connection.is_privileged
        )
        self.broadcaster.connect(outbox)
        if outbox.is_privileged and self._controller is not None:
            outbox.put("", "sources", encode_text(self._controller.sources_message()))
        logger.debug("a client connected; there are %d", self.broadcaster.clients)
        sender = asyncio.create_task(self._send(connection, outbox))
        try:
            async for text in connection:
                request = decode_request(text)
                if not bucket.take(now()):
                    await self._close(
                        connection, "rate", f"more than {limits.requests_per_second:g} messages a second"
                    )
                elif isinstance(request, Subscribe):
                    outbox.wants_spectrum = request.spectrum
                elif len(outbox) > limits.waiting_messages:
                    self._handshakes.drop(connection, "slow")  # it would not read a closing handshake either
                    break
                elif request is not None:
                    self._start_control(outbox, request)
                else:
                    sentence = f"expected a subscribe message or a control of protocol version {VERSION}"
                    await self._close(connection, "message", sentence)
        except ConnectionClosed:
            pass  # clients may leave without a closing handshake
        finally:
            self.broadcaster.disconnect(outbox)
            sender.cancel()
            logger.debug("a client left; there are %d", self.broadcaster.clients)

    def _start_control(self, outbox: ClientOutbox, control: AnyControl) -> None:
        """Carry out a control in a task, which may take seconds and continues if the client leaves."""
        task = asyncio.create_task(self._respond(outbox, control))
        self._controls.add(task)
        task.add_done_callback(self._controls.discard)

    async def _respond(self, outbox: ClientOutbox, control: AnyControl) -> None:
        try:
            ok, (code, detail) = True, await self._carry_out(control, is_privileged=outbox.is_privileged)
        except OverheardError as error:
            ok, code, detail = False, _error_code(error, control), str(error)
        except Exception:
            logger.exception("internal error; the control %s was not carried out", type(control).__name__)
            ok, code = False, ResponseCode.INTERNAL_ERROR
            detail = "internal error; see the analyzer's log for details"
        response = response_message(control.id, ok, code, detail, time.time())
        outbox.put("", f"response {control.id}", encode_text(response))

    async def _carry_out(self, control: AnyControl, *, is_privileged: bool) -> Outcome:
        if not is_privileged:
            raise RequestError(ResponseCode.UNAUTHORIZED, UNPRIVILEGED)
        if isinstance(control, CorrectLabel | DeleteHistory):
            history = self._history
            if history is None:
                raise RequestError(ResponseCode.HISTORY_OFF, NO_HISTORY)
            labels = self.broadcaster.labels
            if isinstance(control, CorrectLabel) and control.genre not in (None, *labels):
                sentence = f"the model knows no such genre; it knows {', '.join(labels)}"
                raise RequestError(ResponseCode.UNKNOWN_GENRE, sentence)
            return await run_in_daemon_thread(lambda: history.handle_control(control))
        if self._controller is None:
            raise RequestError(ResponseCode.UNSUPPORTED, "the sources of this analyzer cannot be changed")
        return await self._controller.control(control)

    async def _send(self, connection: ServerConnection, outbox: ClientOutbox) -> None:
        try:
            while True:
                text = await outbox.take()
                async with asyncio.timeout(self._limits.send_seconds):
                    await connection.send(text)
        except TimeoutError:
            self._handshakes.drop(connection, "slow")
        except ConnectionClosed:
            pass  # the task that reads from the client ends, too

    async def _close(self, connection: ServerConnection, reason: str, sentence: str) -> None:
        self._handshakes.count(reason, sentence)
        try:
            async with asyncio.timeout(2 * self._limits.close_seconds):
                await connection.close(CloseCode.POLICY_VIOLATION, sentence)
        except TimeoutError:  # the client does not read
            connection.transport.abort()


def _error_code(error: OverheardError, control: AnyControl) -> ResponseCode:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(control, CorrectLabel | DeleteHistory):
        return ResponseCode.HISTORY_FAILED
    return ResponseCode.SOURCE_UNAVAILABLE if isinstance(error, SourceError) else ResponseCode.INTERNAL_ERROR


def _select_protocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Select the subprotocol of this server if the client offers any.

    Clients that offer only other subprotocols were rejected before.
    """
    return Subprotocol(access.PROTOCOL) if offered else None


def _load_tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """Load the certificate and its key.

    Returns
    -------
    SSLContext or None
        None if the settings name no certificate.

    Raises
    ------
    ServerError
        If the files are missing or do not belong together.
    """
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # Without an empty password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        raise ServerError(
            f"cannot serve TLS with certificate {settings.tls_certificate} and key {settings.tls_key} "
            f"({getattr(error, 'strerror', None) or error}); name a certificate in PEM and the key that "
            "belongs to it, without a password"
        ) from error
    return context
