"""Privileged client, and analyzer of real files, for tests of the source manager."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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

TOKEN = "a-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SPEED = 8.0


class Client:
    """Privileged client that remembers all messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Any] = []
        self._number = 0

    async def until(self, wanted: Callable[[Any], bool], seconds: float = 20.0) -> Any:
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

    async def ask(self, action: str, **fields: Any) -> tuple[bool, str]:
        """Send a control and wait for its response. ``seen`` has the last ``sources`` message."""
        await self.connection.send(self.text(action, **fields))
        answer = await self.until(lambda m: m["type"] == "response" and m["id"] == str(self._number))
        return answer["ok"], answer["detail"]

    def text(self, action: str, **fields: Any) -> str:
        self._number += 1
        return json.dumps({"type": "control", "id": str(self._number), "action": action} | fields)

    def last_sources(self) -> Any:
        return [message for message in self.seen if message["type"] == "sources"][-1]

    def available(self, name: str) -> Any:
        return next(each for each in self.last_sources()["available"] if each["name"] == name)


@dataclass
class RunningManager:
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
    """Run a scenario with analyzed sources, and return all of their messages."""
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
            began = time.monotonic()
            await asyncio.gather(manager.stop(), server.stop())
            assert time.monotonic() - began < 3
            if writer is not None:
                writer.close()

    asyncio.run(main())
    return published


@contextmanager
def silent_host() -> Iterator[str]:
    """Yield an address that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/never.mp3"
