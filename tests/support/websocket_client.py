"""Real server on a free port, messages for it, and clients with and without a library."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection

from realtime.config import ServerSettings
from realtime.protocol import builders
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HelloMessage, StateMessage
from realtime.server.broadcaster import Broadcaster
from realtime.server.limits import ServerLimits
from realtime.server.log_buffer import LogBuffer
from realtime.server.requests import HistoryEndpoint, SourceController
from realtime.server.websocket import EstimateServer
from tests.support.classifier import manifest
from tests.support.protocol import estimate_message

Scenario = Callable[[EstimateServer, str], Awaitable[None]]
"""Coroutine function of a server and its address."""


def hello(source: str = "fake") -> HelloMessage:
    return builders.hello_message(source, 1.0, manifest(), "fake 1", {})


def estimate(label: str, number: int = 1, source: str = "fake") -> EstimateMessage:
    return estimate_message(label, seq=number, source=source)


def state(name: str, number: int = 1, source: str = "fake", detail: str = "") -> StateMessage:
    return replace(builders.state_message(source, 1.0, StreamState(name), detail), seq=number)


async def receive(client: ClientConnection) -> Any:
    """Receive a message within five seconds, and decode it."""
    return json.loads(await asyncio.wait_for(client.recv(), 5))


def serve(
    scenario: Scenario,
    sources: Sequence[str] = ("fake",),
    origins: Sequence[str] = (),
    *,
    controller: SourceController | None = None,
    history: HistoryEndpoint | None = None,
    log: LogBuffer | None = None,
    sound: Callable[[], dict[str, Any] | None] | None = None,
    control_token: str = "",
    limits: ServerLimits | None = None,
    **settings: Any,
) -> None:
    """Run a scenario against a server on a free port. ``settings`` are fields of ``ServerSettings``."""

    async def main() -> None:
        server = EstimateServer(
            Broadcaster([hello(source) for source in sources]),
            ServerSettings(**settings),
            origins,
            control_token=control_token,
            controller=controller,
            history=history,
            log=log,
            sound=sound,
            limits=limits,
        )
        port = await server.start("127.0.0.1", 0)
        try:
            await scenario(server, f"ws://127.0.0.1:{port}")
        finally:
            await server.stop()

    asyncio.run(main())


async def wait_for_clients(server: EstimateServer, number: int) -> None:
    """Wait until the server has this number of clients."""
    async with asyncio.timeout(60):
        while server.broadcaster.clients != number:
            await asyncio.sleep(0)


TOKEN = "a-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def http_get(
    url: str, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None, method: str = "GET"
) -> tuple[int, str, str]:
    """Return status, content type and body of a page. It blocks, so a scenario calls it on a thread."""
    request = Request(url.replace("ws", "http", 1), headers=dict(headers or {}), method=method)
    opener = build_opener(HTTPHandler(), HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=60) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """Assert that the server has logged no error and no traceback."""
    records = [
        record
        for record in caplog.records
        if record.name.startswith(("realtime", "websockets.server", "asyncio"))
    ]
    assert not [
        record.getMessage() for record in records if record.exc_info or record.levelno >= logging.ERROR
    ]


def get_port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def open_raw(url: str, first: bytes = HANDSHAKE) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect without a library and send the first bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", get_port(url))
    writer.write(first)
    return reader, writer


async def read_rest(reader: asyncio.StreamReader) -> bytes:
    """Return all bytes until the server closes the connection, which must happen within ten seconds."""
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""


async def check_still_serves(server: EstimateServer, client: ClientConnection, number: int = 1) -> None:
    """Publish an estimate with this number, which the client must receive next."""
    server.broadcaster.publish(estimate("jazz", number))
    assert (await receive(client))["seq"] == number


SUBSCRIBE = '{"type": "subscribe", "spectrum": true}'
