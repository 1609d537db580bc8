"""The websocket server: hello first, then the latest of everything. The only socket of the analyzer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.typing import Origin

from realtime import messages
from realtime.errors import ServerError
from realtime.messages import Message

logger = logging.getLogger(__name__)

LARGEST_REQUEST = 1024
"""Bytes of a client's message; the only one there is takes 40."""


class Mailbox:
    """What waits for one client: the newest message of each type, nothing older.

    A slow client therefore costs a handful of messages and never delays the others.
    """

    def __init__(self, hello: str) -> None:
        self.wants_spectrum = False
        self._waiting: dict[str, str] = {"hello": hello}
        self._filled = asyncio.Event()
        self._filled.set()

    def put(self, kind: str, text: str) -> None:
        """Leave a message; one of the same type that still waits is replaced."""
        self._waiting.pop(kind, None)  # the new one goes to the end, so that seq only rises
        self._waiting[kind] = text
        self._filled.set()

    async def take(self) -> list[str]:
        """Wait until something is there and take it all, oldest first."""
        await self._filled.wait()
        self._filled.clear()
        texts, self._waiting = list(self._waiting.values()), {}
        return texts


class EstimateServer:
    """Publishes the messages of one analyzer to any number of clients.

    Everything here runs on one event loop.

    Parameters
    ----------
    hello : dict
        A hello message; its state and estimate are kept up to date here.
    origins : iterable of str
        Web pages that may connect. A browser lets a page of any site open a websocket to this
        machine, so others are refused before the connection is accepted; programs send no Origin.
    """

    def __init__(self, hello: Message, origins: Iterable[str] = ()) -> None:
        self._hello = hello | {"seq": 0}
        self._origins: list[Origin | None] = [None, *map(Origin, origins)]
        self._mailboxes: set[Mailbox] = set()
        self._server: Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which is a free one when 0 was asked for.

        Raises
        ------
        ServerError
            The address is taken or not ours.
        """
        try:
            self._server = await serve(
                self._handle,
                host,
                port,
                origins=self._origins,
                max_size=LARGEST_REQUEST,
                server_header=None,
                close_timeout=1,  # a client that does not answer must not hold up Ctrl-C
            )
        except (OSError, UnicodeError) as error:
            raise ServerError(
                f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}; "
                "is the analyzer running already? --port takes another one"
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        """Say goodbye to every client and stop listening."""
        if self._server is not None:
            self._server.close(code=CloseCode.GOING_AWAY, reason="the analyzer stops")
            await self._server.wait_closed()

    @property
    def clients(self) -> int:
        """How many are connected; safe to read from any thread."""
        return len(self._mailboxes)

    def publish(self, message: Message) -> None:
        """Leave a numbered message in every mailbox that wants it."""
        kind = message["type"]
        self._hello["seq"] = message["seq"]
        if kind == "estimate":
            self._hello |= {"estimate": message["estimate"], "captured_at": message["captured_at"]}
        elif kind == "state":
            self._hello |= {"state": message["state"], "detail": message["detail"]}
        receivers = [box for box in self._mailboxes if kind != "spectrum" or box.wants_spectrum]
        if receivers:
            text = messages.encode(message)
            for mailbox in receivers:
                mailbox.put(kind, text)

    async def _handle(self, connection: ServerConnection) -> None:
        mailbox = Mailbox(messages.encode(self._hello))
        self._mailboxes.add(mailbox)
        sender = asyncio.create_task(self._send(connection, mailbox))
        try:
            async for request in connection:
                wanted = _parse_subscribe(request)
                if wanted is None:
                    await connection.close(CloseCode.POLICY_VIOLATION, "expected a subscribe message")
                    break
                mailbox.wants_spectrum = wanted
        except ConnectionClosed:
            pass  # a client that goes away without a word is nothing to report
        finally:
            self._mailboxes.discard(mailbox)
            sender.cancel()

    async def _send(self, connection: ServerConnection, mailbox: Mailbox) -> None:
        try:
            while True:
                for text in await mailbox.take():
                    await connection.send(text)
        except ConnectionClosed:
            pass  # the reading side ends the same way


def _parse_subscribe(request: str | bytes) -> bool | None:
    """Whether spectrum is wanted; None for anything but a well-formed subscribe message."""
    try:
        fields: Any = json.loads(request)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.keys() != {"type", "spectrum"} or fields["type"] != "subscribe":
        return None
    wanted = fields["spectrum"]
    return wanted if isinstance(wanted, bool) else None
