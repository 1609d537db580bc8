"""What the tests of the switchboard share: a trusted client, and an analyzer around real files."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
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
    """A trusted client that remembers everything."""

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
        """The first estimate of that genre; those of another source must be over by then."""
        return await self.until(
            lambda m: m["type"] == "estimate" and (m["estimate"]["label"], m["source"]) == (label, source)
        )

    async def state(self, name: str) -> Any:
        return await self.until(lambda message: message["type"] == "state" and message["state"] == name)

    async def sources(self) -> Any:
        return await self.until(lambda message: message["type"] == "sources")

    async def ask(self, action: str, **fields: Any) -> tuple[bool, str]:
        """Ask and wait for the answer; the ``sources`` that came last is in ``seen``."""
        await self.connection.send(self.text(action, **fields))
        answer = await self.until(lambda m: m["type"] == "response" and m["id"] == str(self._number))
        return answer["ok"], answer["detail"]

    def text(self, action: str, **fields: Any) -> str:
        self._number += 1
        return json.dumps({"type": "control", "id": str(self._number), "action": action} | fields)

    def last_sources(self) -> Any:
        return [message for message in self.seen if message["type"] == "sources"][-1]

    def offered(self, name: str) -> Any:
        return next(each for each in self.last_sources()["available"] if each["name"] == name)


@dataclass
class Running:
    board: SourceManager
    server: EstimateServer
    url: str
    told: list[Json]


def run(
    scenario: Callable[[Client, Running], Awaitable[None]],
    source: Sequence[Path | str],
    offered: Sequence[Path | str] = (),
    speed: float = SPEED,
    history: Path | None = None,
) -> list[Json]:
    """Run a scenario with sources that are listened to; returns all that was told of them."""
    chosen = Settings(source=SourceSettings(tuple(map(str, source)), speed=speed))
    chosen = replace(
        chosen, server=ServerSettings(token=TOKEN), history=HistorySettings(str(history or "off"))
    )
    told: list[Json] = []

    async def main() -> None:
        clock, classifier = SystemClock(), LoudestRowClassifier()
        watcher = HistoryWriter(history, clock, "fake", "1", flush_seconds=0.1) if history else None
        desk = HistoryService(history, watcher, clock, classifier.manifest) if history and watcher else None

        def watch(message: Message) -> None:
            told.append(as_json(message))
            if watcher is not None:
                watcher.consume(message)

        broadcaster = Broadcaster()
        board = SourceManager(chosen, list(map(str, offered)), classifier, clock, broadcaster, watch)
        server = EstimateServer(broadcaster, chosen.server, controller=board, history=desk)
        try:
            await board.open()
            url = f"ws://127.0.0.1:{await server.start('127.0.0.1', 0)}"
            board.start()
            async with connect(url, additional_headers=BEARER) as connection:
                await scenario(Client(connection), Running(board, server, url, told))
        finally:
            began = time.monotonic()
            await asyncio.gather(board.stop(), server.stop())
            assert time.monotonic() - began < 3
            if watcher is not None:
                watcher.close()

    asyncio.run(main())
    return told
