"""Websocket server: accepts clients, sends them the messages and carries out their controls."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Iterable, Sequence
from functools import partial

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
from realtime.server.http import ClientConnection, HandshakeHandler
from realtime.server.limits import ServerLimits
from realtime.server.log_buffer import LogBuffer
from realtime.server.outbox import ClientOutbox
from realtime.server.rate_limit import TokenBucket
from realtime.server.requests import NO_HISTORY, UNPRIVILEGED, HistoryEndpoint, SourceController

logger = logging.getLogger(__name__)


class EstimateServer:
    """Publishes the messages of one or more sources to any number of clients.

    Everything here runs on one event loop.

    Parameters
    ----------
    broadcaster : Broadcaster
        Holds the hello of each source; its messages go to all clients.
    settings : ServerSettings
        Who may connect, how many, and the files for TLS. Where to listen is told to ``start``.
    origins : iterable of str
        Web pages that may connect besides those of the settings.
    control_token : str
        Whoever shows it is trusted, where the settings have no token, which then is the one.
    controller : SourceController, optional
        Carries out the controls of trusted clients.
    history : HistoryPages, optional
        What trusted clients see and correct; without there is none.
    log : LogTail, optional
        What they see of the log.
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
        limits: ServerLimits | None = None,
    ) -> None:
        self.broadcaster = broadcaster
        self._controller = controller
        self._settings = settings
        self._origins = frozenset((*settings.allow_origin, *origins))
        self._control_token = control_token
        self._history = history
        self._log = log
        self._limits = limits or ServerLimits()
        self._controls: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which is a free one when 0 was asked for.

        Raises
        ------
        ServerError
            The address is taken or not ours, or the certificate cannot be used.
        """
        tls = _tls_context(self._settings)
        rules = AccessPolicy(
            self._origins, self._settings.token, self._settings.max_clients, self._control_token
        )
        streams = self.broadcaster
        self._door = HandshakeHandler(
            rules, streams.metrics, lambda: streams.clients, self._limits, self._history, self._log
        )
        # The library would write the headers of every request to the log at DEBUG, the token with them.
        wire = logging.getLogger(f"{__name__}.wire")
        wire.setLevel(logging.WARNING)
        try:
            self._server = await serve(
                self._handle,
                host,
                port,
                select_subprotocol=_select_protocol,
                process_request=self._door.process_request,
                compression=None,  # messages are small, and each client would cost a quarter of a megabyte
                max_size=self._limits.request_bytes,
                server_header=None,
                open_timeout=self._limits.open_seconds,
                ping_interval=self._limits.ping_seconds,
                ping_timeout=self._limits.ping_seconds,
                close_timeout=self._limits.close_seconds,
                logger=wire,
                create_connection=partial(ClientConnection, self._door),  # type: ignore[arg-type]  # any factory does
                backlog=self._limits.handshakes,
                ssl=tls,
            )
        except (OSError, UnicodeError) as error:
            raise ServerError(
                f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}; "
                "is the analyzer running already? --port takes another one"
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self, reason: str = "the analyzer stops") -> None:
        """Say goodbye to every client, in at most 123 bytes, and stop listening."""
        for control in self._controls:
            control.cancel()
        if self._server is None:
            return
        self._server.close(code=CloseCode.GOING_AWAY, reason=reason.encode()[:123].decode(errors="ignore"))
        self._door.close()
        try:
            async with asyncio.timeout(2 * self._limits.close_seconds):
                await self._server.wait_closed()
        except TimeoutError:  # the goodbye waits behind messages that nobody reads
            self._door.drop_all()
            await self._server.wait_closed()

    async def _handle(self, connection: ServerConnection) -> None:
        now = asyncio.get_running_loop().time
        limits = self._limits
        bucket = TokenBucket(limits.request_burst, limits.requests_per_second, now())
        outbox = ClientOutbox(trusted=isinstance(connection, ClientConnection) and connection.trusted)
        self.broadcaster.connect(outbox)
        if outbox.trusted and self._controller is not None:
            outbox.put("", "sources", encode_text(self._controller.sources_message()))
        logger.debug("a client connected; there are %d", self.broadcaster.clients)
        sender = asyncio.create_task(self._send(connection, outbox))
        try:
            async for text in connection:
                request = decode_request(text)
                if not bucket.take(now()):
                    await self._dismiss(
                        connection, "rate", f"more than {limits.requests_per_second:g} messages a second"
                    )
                elif isinstance(request, Subscribe):
                    outbox.wants_spectrum = request.spectrum
                elif len(outbox) > limits.waiting_messages:
                    self._door.drop(connection, "slow")  # it would not read a goodbye either
                    break
                elif request is not None:
                    self._start_control(outbox, request)
                else:
                    sentence = f"expected a subscribe message or a control of protocol version {VERSION}"
                    await self._dismiss(connection, "message", sentence)
        except ConnectionClosed:
            pass  # a client that goes away without a word is nothing to report
        finally:
            self.broadcaster.disconnect(outbox)
            sender.cancel()
            logger.debug("a client left; there are %d", self.broadcaster.clients)

    def _start_control(self, outbox: ClientOutbox, control: AnyControl) -> None:
        """On a task of its own: it may take seconds, and goes on when the client leaves."""
        task = asyncio.create_task(self._obey(outbox, control))
        self._controls.add(task)
        task.add_done_callback(self._controls.discard)

    async def _obey(self, outbox: ClientOutbox, control: AnyControl) -> None:
        try:
            ok, (code, detail) = True, await self._do(control, trusted=outbox.trusted)
        except OverheardError as error:
            ok, code, detail = False, _error_code(error, control), str(error)
        except Exception:
            logger.exception("internal error; %s was not done", type(control).__name__)
            ok, code = False, ResponseCode.INTERNAL_ERROR
            detail = "an internal error; the analyzer's log tells more"
        response = response_message(control.id, ok, code, detail, time.time())
        outbox.put("", f"response {control.id}", encode_text(response))

    async def _do(self, control: AnyControl, *, trusted: bool) -> Outcome:
        if not trusted:
            raise RequestError(ResponseCode.UNAUTHORIZED, UNPRIVILEGED)
        if isinstance(control, CorrectLabel | DeleteHistory):
            history = self._history
            if history is None:
                raise RequestError(ResponseCode.HISTORY_OFF, NO_HISTORY)
            labels = self.broadcaster.labels
            if isinstance(control, CorrectLabel) and control.genre not in (None, *labels):
                sentence = f"the model knows no such genre; it knows {', '.join(labels)}"
                raise RequestError(ResponseCode.UNKNOWN_GENRE, sentence)
            return await run_in_daemon_thread(lambda: history.act(control))
        if self._controller is None:
            raise RequestError(ResponseCode.UNSUPPORTED, "there is nothing here that could be switched")
        return await self._controller.control(control)

    async def _send(self, connection: ServerConnection, outbox: ClientOutbox) -> None:
        try:
            while True:
                text = await outbox.take()
                async with asyncio.timeout(self._limits.send_seconds):
                    await connection.send(text)
        except TimeoutError:
            self._door.drop(connection, "slow")
        except ConnectionClosed:
            pass  # the reading side ends the same way

    async def _dismiss(self, connection: ServerConnection, reason: str, sentence: str) -> None:
        self._door.count(reason, sentence)
        try:
            async with asyncio.timeout(2 * self._limits.close_seconds):
                await connection.close(CloseCode.POLICY_VIOLATION, sentence)
        except TimeoutError:  # it does not read what was sent before, so it will not read this
            connection.transport.abort()


def _error_code(error: OverheardError, control: AnyControl) -> ResponseCode:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(control, CorrectLabel | DeleteHistory):
        return ResponseCode.HISTORY_FAILED
    return ResponseCode.SOURCE_UNAVAILABLE if isinstance(error, SourceError) else ResponseCode.INTERNAL_ERROR


def _select_protocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours where one was offered; others were refused before."""
    return Subprotocol(access.PROTOCOL) if offered else None


def _tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """None without TLS; a ServerError where the files are missing or do not belong together."""
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # A password, although an empty one: without, OpenSSL would ask for it on the terminal.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        raise ServerError(
            f"cannot serve TLS with certificate {settings.tls_certificate} and key {settings.tls_key} "
            f"({getattr(error, 'strerror', None) or error}); name a certificate in PEM and the key that "
            "belongs to it, without a password"
        ) from error
    return context
