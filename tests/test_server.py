"""A real server on a free port, spoken to by real clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from realtime import messages
from realtime.errors import ServerError
from realtime.estimates import StreamState
from realtime.messages import Message
from realtime.server import EstimateServer, Mailbox
from tests.fakes.classifier import manifest

HELLO = messages.hello_message("fake", 1.0, manifest(), "fake 1", {}, StreamState.CONNECTING, "", None)


def estimate(label: str, number: int = 1) -> Message:
    payload = {
        "label": label,
        "stable_label": label,
        "confidence": 0.9,
        "probabilities": {},
        "state": "LISTENING",
    }
    return messages.envelope("estimate", "fake", 2.0) | {"estimate": payload, "seq": number}


def spectrum(end: float) -> Message:
    return messages.envelope("spectrum", "fake", 2.0) | {"end_seconds": end, "seq": 1}


async def receive(client: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(client.recv(), 5))


def serve(scenario: Callable[[EstimateServer, str], Awaitable[None]], **options: Any) -> None:
    """Run a scenario against a server on a free port."""

    async def main() -> None:
        server = EstimateServer(HELLO, **options)
        port = await server.start("127.0.0.1", 0)
        try:
            await scenario(server, f"ws://127.0.0.1:{port}")
        finally:
            await server.stop()

    asyncio.run(main())


async def connected(server: EstimateServer, number: int) -> None:
    """Wait until so many clients are known; bounded by the test's own timeouts."""
    async with asyncio.timeout(5):
        while server.clients != number:
            await asyncio.sleep(0)


def test_hello_comes_first_and_numbers_rise() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            hello = await receive(client)
            assert hello["type"] == "hello"
            assert hello["version"] == messages.VERSION
            for number, label in enumerate(("jazz", "rock"), start=1):
                server.publish(estimate(label, number))
                message = await receive(client)
                assert (message["type"], message["estimate"]["label"]) == ("estimate", label)
                assert message["seq"] == hello["seq"] + number

    serve(scenario)


def test_a_late_client_is_told_where_things_stand() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.publish(messages.state_message("fake", 1.0, StreamState.LISTENING, "all well") | {"seq": 1})
        server.publish(estimate("jazz", 2))
        async with connect(url) as client:
            hello = await receive(client)
            assert (hello["state"], hello["detail"]) == ("LISTENING", "all well")
            assert hello["estimate"]["label"] == "jazz"
            assert hello["seq"] == 2

    serve(scenario)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8502", "https://127.0.0.1:8501"]
)
def test_a_foreign_page_is_refused_before_the_connection(origin: str) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(url, origin=origin)  # type: ignore[arg-type]  # Origin is a NewType of str
        assert refusal.value.response.status_code == 403
        assert server.clients == 0

    serve(scenario, origins=["http://127.0.0.1:8501"])


def test_our_own_page_and_programs_may_connect() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        for origin in (None, "http://127.0.0.1:8501"):
            async with connect(url, origin=origin) as client:  # type: ignore[arg-type]  # as above
                assert (await receive(client))["type"] == "hello"

    serve(scenario, origins=["http://127.0.0.1:8501"])


def test_spectrum_only_on_request() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            server.publish(spectrum(1.0))
            server.publish(estimate("jazz"))
            assert (await receive(client))["type"] == "estimate"
            await client.send('{"type": "subscribe", "spectrum": true}')
            await (await client.ping())  # answered after the request was read
            server.publish(spectrum(2.0))
            assert (await receive(client))["end_seconds"] == 2.0

    serve(scenario)


@pytest.mark.parametrize(
    "request_text",
    ["no json", "[]", "{}", '{"type": "subscribe"}', '{"type": "subscribe", "spectrum": 1}',
     '{"type": "subscribe", "spectrum": true, "more": 1}', '{"type": "shutdown", "spectrum": true}'],
)  # fmt: skip
def test_anything_else_from_a_client_ends_its_connection(request_text: str) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await client.send(request_text)
            with pytest.raises(ConnectionClosedError, match="expected a subscribe message"):
                await receive(client)
        await connected(server, 0)

    serve(scenario)


def test_a_huge_request_is_refused() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await client.send("x" * 10_000)
            with pytest.raises(ConnectionClosedError, match="message too big"):
                await receive(client)

    serve(scenario)


def test_a_slow_client_gets_the_latest_of_each_type() -> None:
    async def scenario() -> None:
        box = Mailbox("hello")
        for number in range(1_000):
            box.put("estimate", f"estimate {number}")
            box.put("health", f"health {number}")
        box.put("estimate", "estimate last")
        assert await box.take() == ["hello", "health 999", "estimate last"]

    asyncio.run(scenario())


def test_stopping_says_goodbye_with_a_reason() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await server.stop()
            with pytest.raises(ConnectionClosedOK, match="the analyzer stops"):
                await receive(client)

    serve(scenario)


def test_a_busy_port_is_explained() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        port = int(url.rpartition(":")[2])
        with pytest.raises(ServerError, match=rf"cannot listen on 127.0.0.1:{port}: .*--port takes another"):
            await EstimateServer(HELLO).start("127.0.0.1", port)

    serve(scenario)


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(ServerError, match=r"cannot listen on 192.0.2.1:0"):
        asyncio.run(EstimateServer(HELLO).start("192.0.2.1", 0))
