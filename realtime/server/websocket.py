"""The websocket server: hello first, then the latest of everything. The only socket of the analyzer."""

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
from models.common.text import storable
from models.errors import OverheardError
from realtime.config import ServerSettings
from realtime.errors import ControlError, ServerError
from realtime.protocol import messages
from realtime.protocol.messages import Message
from realtime.server import access, requests
from realtime.server.access import AccessPolicy
from realtime.server.http import MAX_HANDSHAKES, ClientConnection, HandshakeHandler
from realtime.server.log_buffer import LogBuffer
from realtime.server.metrics import Metrics
from realtime.server.outbox import ClientOutbox
from realtime.server.rate_limit import TokenBucket
from realtime.server.requests import HistoryEndpoint, SourceController

logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 1024
"""Bytes of a client's message; the longest control takes some 300 and a name."""
REQUEST_RATE = (10, 2.0)
"""How many messages a client may send at once, and each second after that."""
MAX_WAITING_MESSAGES = 256
"""Messages that may wait for a client that goes on asking: each of its controls gets an answer of its own."""
OPEN_SECONDS = 5.0
"""A handshake that takes longer is a broken or a hostile client's."""
PING_SECONDS = 20.0
"""Between two pings, and until the answer: finds clients whose computer fell asleep."""
SEND_SECONDS = 20.0
"""A client that takes no message for so long is gone; the ping would wait behind the message."""
CLOSE_SECONDS = 1.0
"""A client that does not answer must not hold up Ctrl-C."""


class EstimateServer:
    """Publishes the messages of one or more sources to any number of clients.

    Everything here runs on one event loop.

    Parameters
    ----------
    hellos : sequence of Message
        A hello message for each source; their state, title, estimate and seq are kept up to date here.
    settings : ServerSettings
        Who may connect, how many, and the files for TLS. Where to listen is told to ``start``.
    origins : iterable of str
        Web pages that may connect besides those of the settings.
    control_token : str
        Whoever shows it is trusted, where the settings have no token, which then is the one.
    history : HistoryPages, optional
        What trusted clients see and correct; without there is none.
    log : LogTail, optional
        What they see of the log.

    Attributes
    ----------
    switches : Switches or None
        Does what trusted clients ask for; set before ``start``.

    Raises
    ------
    ValueError
        Two sources have the same name.
    """

    def __init__(
        self,
        hellos: Sequence[Message],
        settings: ServerSettings,
        origins: Iterable[str] = (),
        *,
        control_token: str = "",
        history: HistoryEndpoint | None = None,
        log: LogBuffer | None = None,
    ) -> None:
        self.switches: SourceController | None = None
        self._settings = settings
        self._origins = frozenset((*settings.allow_origin, *origins))
        self._control_token = control_token
        self._history = history
        self._log = log
        self._controls: set[asyncio.Task[None]] = set()
        self._metrics = Metrics()
        self._hellos: dict[str, Message] = {}
        self._mailboxes: set[ClientOutbox] = set()
        self._server: Server | None = None
        for hello in hellos:
            self.add(hello)

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
        self._door = HandshakeHandler(rules, self._metrics, lambda: self.clients, self._history, self._log)
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
                max_size=MAX_REQUEST_BYTES,
                server_header=None,
                open_timeout=OPEN_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                close_timeout=CLOSE_SECONDS,
                logger=wire,
                create_connection=partial(ClientConnection, self._door),  # type: ignore[arg-type]  # any factory does
                backlog=MAX_HANDSHAKES,
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
            async with asyncio.timeout(2 * CLOSE_SECONDS):
                await self._server.wait_closed()
        except TimeoutError:  # the goodbye waits behind messages that nobody reads
            self._door.drop_all()
            await self._server.wait_closed()

    @property
    def clients(self) -> int:
        """How many are connected; safe to read from any thread."""
        return len(self._mailboxes)

    def add(self, hello: Message) -> None:
        """Serve one more source; who is connected gets its hello now.

        Raises
        ------
        ValueError
            A source of that name is served already.
        """
        source = hello["source"]
        if source in self._hellos:
            raise ValueError(f"source {source!r} is served already; each needs a name of its own")
        self._hellos[source] = {"seq": 0} | hello
        self._metrics.update(hello)
        self._tell_hello(hello)

    def replace(self, name: str, hello: Message) -> None:
        """Serve a source in the place of another, or the same one begun anew; who is connected is told.

        Raises
        ------
        ValueError
            No source ``name`` is served, or another one has the new one's name already.
        """
        source = hello["source"]
        if name not in self._hellos or (source != name and source in self._hellos):
            raise ValueError(f"{source!r} cannot take the place of {name!r} among {list(self._hellos)}")
        known = {"seq": 0} | {key: value for key, value in hello.items() if key != "replaces"}
        # In the same place: who comes later follows the first.
        self._hellos = {
            (source if key == name else key): (known if key == name else value)
            for key, value in self._hellos.items()
        }
        self._metrics.forget(name)
        self._metrics.update(hello)
        self._tell_hello(hello if source == name else hello | {"replaces": name})

    def tell_sources(self) -> None:
        """Tell all trusted clients what may be listened to, and what is."""
        receivers = [mailbox for mailbox in self._mailboxes if mailbox.trusted]
        if receivers and self.switches is not None:
            text = _text(self.switches.sources_message())
            for mailbox in receivers:
                mailbox.put("", "sources", text)

    def _tell_hello(self, hello: Message) -> None:
        for mailbox in self._mailboxes:
            mailbox.put(hello["source"], "hello", _text({"seq": 0} | hello))

    def publish(self, message: Message) -> None:
        """Leave a numbered message in every mailbox that wants it.

        Raises
        ------
        ValueError
            No hello told of its source.
        """
        source, kind = message["source"], message["type"]
        hello = self._hellos.get(source)
        if hello is None:
            raise ValueError(f"source {source!r} is unknown; add(hello) makes it known")
        hello["seq"] = message["seq"]
        if kind == "estimate":
            hello |= {"estimate": message["estimate"], "captured_at": message["captured_at"]}
        elif kind == "state":
            hello |= {"state": message["state"], "detail": message["detail"]}
        elif kind == "title":
            hello["title"] = message["title"]
        self._metrics.update(message)
        receivers = [box for box in self._mailboxes if kind != "spectrum" or box.wants_spectrum]
        if receivers:
            text = _text(message)
            for mailbox in receivers:
                mailbox.put(source, kind, text)

    async def _handle(self, connection: ServerConnection) -> None:
        now = asyncio.get_running_loop().time
        bucket = TokenBucket(*REQUEST_RATE, now())
        mailbox = ClientOutbox(trusted=isinstance(connection, ClientConnection) and connection.trusted)
        for source, hello in self._hellos.items():
            mailbox.put(source, "hello", _text(hello))
        if mailbox.trusted and self.switches is not None:
            mailbox.put("", "sources", _text(self.switches.sources_message()))
        self._mailboxes.add(mailbox)
        logger.debug("a client connected; there are %d", self.clients)
        sender = asyncio.create_task(self._send(connection, mailbox))
        try:
            async for request in connection:
                wanted = requests.parse_subscribe(request)
                if not bucket.take(now()):
                    await self._dismiss(
                        connection, "rate", f"more than {REQUEST_RATE[1]:g} messages a second"
                    )
                elif wanted is not None:
                    mailbox.wants_spectrum = wanted
                elif len(mailbox) > MAX_WAITING_MESSAGES:
                    self._door.drop(connection, "slow")  # it would not read a goodbye either
                    break
                elif (control := requests.parse_control(request)) is not None:
                    self._start_control(mailbox, control)
                else:
                    sentence = "expected a subscribe message or a control, as the schema has them"
                    await self._dismiss(connection, "message", sentence)
        except ConnectionClosed:
            pass  # a client that goes away without a word is nothing to report
        finally:
            self._mailboxes.discard(mailbox)
            sender.cancel()
            logger.debug("a client left; there are %d", self.clients)

    def _start_control(self, mailbox: ClientOutbox, control: Message) -> None:
        """On a task of its own: it may take seconds, and goes on when the client leaves."""
        task = asyncio.create_task(self._obey(mailbox, control))
        self._controls.add(task)
        task.add_done_callback(self._controls.discard)

    async def _obey(self, mailbox: ClientOutbox, control: Message) -> None:
        try:
            ok, detail = True, await self._do(control, trusted=mailbox.trusted)
        except OverheardError as error:
            ok, detail = False, str(error)
        except Exception:
            logger.exception("internal error; %s was not done", control["action"])
            ok, detail = False, "an internal error; the analyzer's log tells more"
        answer = messages.answer_message(control["id"], ok, detail, time.time())
        mailbox.put("", f"answer {control['id']}", _text(answer))

    async def _do(self, control: Message, *, trusted: bool) -> str:
        if not trusted:
            raise ControlError(requests.UNPRIVILEGED)
        if control["action"] in requests.HISTORY_ACTIONS:
            history = self._history
            if history is None:
                raise ControlError(requests.NO_HISTORY)
            labels = [label for hello in self._hellos.values() for label in hello["model"]["labels"]]
            if control.get("genre") not in (None, *labels):
                raise ControlError(f"the model knows no such genre; it knows {', '.join(labels)}")
            return await run_in_daemon_thread(lambda: history.act(control))
        if self.switches is None:
            raise ControlError("there is nothing here that could be switched")
        return await self.switches.control(control)

    async def _send(self, connection: ServerConnection, mailbox: ClientOutbox) -> None:
        try:
            while True:
                text = await mailbox.take()
                async with asyncio.timeout(SEND_SECONDS):
                    await connection.send(text)
        except TimeoutError:
            self._door.drop(connection, "slow")
        except ConnectionClosed:
            pass  # the reading side ends the same way

    async def _dismiss(self, connection: ServerConnection, reason: str, sentence: str) -> None:
        self._door.count(reason, sentence)
        try:
            async with asyncio.timeout(2 * CLOSE_SECONDS):
                await connection.close(CloseCode.POLICY_VIOLATION, sentence)
        except TimeoutError:  # it does not read what was sent before, so it will not read this
            connection.transport.abort()


def _select_protocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours where one was offered; others were refused before."""
    return Subprotocol(access.PROTOCOL) if offered else None


def _text(message: Message) -> str:
    """As JSON; what is no Unicode, as in the names of some files, cannot be sent and is replaced."""
    return storable(messages.encode(message), "replace")


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
