"""Source manager of real files with a server, and a privileged client of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect

from realtime.clock import SystemClock
from realtime.config import HistorySettings, ServerSettings, Settings, SourceSettings
from realtime.control.source_manager import SourceManager
from realtime.history.service import HistoryService
from realtime.history.writer import HistoryWriter
from realtime.protocol.messages import Message
from realtime.server.broadcaster import Broadcaster
from realtime.server.websocket import EstimateServer
from tests.support.classifier import LoudestRowClassifier
from tests.support.protocol import VALIDATOR, Json, as_json
from tests.support.waiting import at_most
from tests.support.websocket_client import BEARER, TOKEN

SPEED = 8.0


class Response(NamedTuple):
    """Response to a control, as its client gets it."""

    ok: bool
    code: str
    detail: str


class Client:
    """Privileged client that records all messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Any] = []
        self._number = 0

    async def until(self, wanted: Callable[[Any], bool], seconds: float = 20.0) -> Any:
        """Receive messages up to the first one that is wanted, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                message = json.loads(await self.connection.recv())
                VALIDATOR.validate(message)
                self.seen.append(message)
                if wanted(message):
                    return message

    async def genre(self, label: str, source: str) -> Any:
        """Wait for the first estimate of a genre and a source."""
        return await self.until(
            lambda m: m["type"] == "estimate" and (m["estimate"]["label"], m["source"]) == (label, source)
        )

    async def state(self, name: str) -> Any:
        return await self.until(lambda message: message["type"] == "state" and message["state"] == name)

    async def sources(self) -> Any:
        return await self.until(lambda message: message["type"] == "sources")

    async def request(self, action: str, **fields: Any) -> Response:
        """Send a control and wait for its response. ``seen`` then has the last ``sources`` message."""
        await self.connection.send(self.control(action, **fields))
        message = await self.until(lambda m: m["type"] == "response" and m["id"] == str(self._number))
        return Response(message["ok"], message["code"], message["detail"])

    def control(self, action: str, **fields: Any) -> str:
        """Return a control with the next number as its id."""
        self._number += 1
        return json.dumps({"type": "control", "id": str(self._number), "action": action} | fields)

    def last_sources(self) -> Any:
        return [message for message in self.seen if message["type"] == "sources"][-1]

    def available(self, name: str) -> Any:
        return next(each for each in self.last_sources()["available"] if each["name"] == name)


@dataclass
class RunningManager:
    """Source manager and its server during a scenario."""

    manager: SourceManager
    server: EstimateServer
    url: str
    published: list[Json]


def run_manager(
    scenario: Callable[[Client, RunningManager], Awaitable[None]],
    source: Sequence[Path | str],
    selectable: Sequence[Path | str] = (),
    speed: float = SPEED,
    history: Path | None = None,
) -> list[Json]:
    """Run a scenario while sources are analyzed, and return all published messages.

    Parameters
    ----------
    scenario : callable
        Coroutine function of a connected client and the running manager.
    source : sequence of paths or str
        Sources that play from the start.
    selectable : sequence of paths or str
        Sources that a client may select besides those.
    speed : float
        Speed of files, in multiples of real time.
    history : Path, optional
        File of the history. None records none.
    """
    settings = Settings(source=SourceSettings(tuple(map(str, source)), speed=speed))
    settings = replace(
        settings, server=ServerSettings(token=TOKEN), history=HistorySettings(str(history or "off"))
    )
    published: list[Json] = []

    async def main() -> None:
        clock, classifier = SystemClock(), LoudestRowClassifier()
        writer = HistoryWriter(history, clock, "fake", "1", flush_seconds=0.1) if history else None
        service = HistoryService(history, writer, clock, classifier.manifest) if history and writer else None

        def watch(message: Message) -> None:
            published.append(as_json(message))
            if writer is not None:
                writer.consume(message)

        broadcaster = Broadcaster()
        manager = SourceManager(
            settings, list(map(str, selectable)), classifier, clock, broadcaster=broadcaster, watch=watch
        )
        server = EstimateServer(broadcaster, settings.server, controller=manager, history=service)
        try:
            await manager.open()
            url = f"ws://127.0.0.1:{await server.start('127.0.0.1', 0)}"
            manager.start()
            async with connect(url, additional_headers=BEARER) as connection:
                await scenario(Client(connection), RunningManager(manager, server, url, published))
        finally:
            with at_most(3):
                await asyncio.gather(manager.stop(), server.stop())
            if writer is not None:
                writer.close()

    asyncio.run(main())
    return published


@contextmanager
def silent_host() -> Iterator[str]:
    """Yield an address that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/never.mp3"
