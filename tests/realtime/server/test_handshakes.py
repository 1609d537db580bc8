"""Incomplete and rejected handshakes at a real server over real sockets. Other clients must not notice."""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from realtime.server.limits import ServerLimits
from realtime.server.websocket import EstimateServer
from tests.support.websocket_client import (
    TOKEN,
    check_log,
    check_still_serves,
    estimate,
    http_get,
    open_raw,
    read_rest,
    receive,
    serve,
    wait_for_clients,
)


@pytest.mark.parametrize(
    "first",
    [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET", b"\x16\x03\x01\x02\x00\x01",
     b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
     b"\x00" * 100_000, b"\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
     b"GET /?" + b"&" * 8_000 + b" HTTP/1.1\r\n\r\n", b"GET //[ HTTP/1.1\r\nHost: [\r\n\r\n"],
    ids=["silence", "half a header", "half a word", "TLS", "long header", "zeros", "empty", "POST",
         "ampersands", "brackets"],
)  # fmt: skip
def test_an_incomplete_handshake_ends(first: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        reader, writer = await open_raw(url, first)
        await read_rest(reader)
        writer.close()
        async with connect(url) as other:
            await receive(other)
            await check_still_serves(estimates, other)

    serve(scenario, limits=ServerLimits(open_seconds=0.3))
    check_log(caplog)


def test_a_handshake_byte_by_byte_has_no_more_time_than_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        reader, writer = await open_raw(url, b"GET / HTTP/1.1\r\nHost: ")
        ended = asyncio.ensure_future(read_rest(reader))
        async with asyncio.timeout(60):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait([ended], timeout=0.02)
        writer.close()
        async with connect(url) as other:
            await receive(other)
            await check_still_serves(estimates, other)

    serve(scenario, limits=ServerLimits(open_seconds=0.3))
    check_log(caplog)


def test_silent_connections_make_room_for_others(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        silent = [await open_raw(url, b"GET") for _ in range(50)]
        async with connect(url) as other:
            await receive(other)
            for reader, _ in silent[:29]:
                assert await read_rest(reader) == b"", "the oldest went first"
            await check_still_serves(estimates, other)
            text = (await asyncio.to_thread(http_get, url + "/metrics"))[2]
            assert 'overheard_connections_refused_total{reason="handshakes"} 31' in text
        for _, writer in silent:
            writer.close()

    serve(scenario, limits=ServerLimits(handshakes=20))
    check_log(caplog)


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_five_hundred_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """The limit admits 64 clients, the others get a reason, and all file descriptors are released."""

    async def open_client(url: str) -> ClientConnection | int:
        try:
            return await connect(url, open_timeout=30)
        except InvalidStatus as rejection:
            return rejection.response.status_code

    async def scenario(estimates: EstimateServer, url: str) -> None:
        before = descriptors()
        answers = await asyncio.gather(*(open_client(url) for _ in range(500)))
        clients = [answer for answer in answers if isinstance(answer, ClientConnection)]
        assert Counter(answer for answer in answers if isinstance(answer, int)) == {503: 436}
        assert len(clients) == 64
        estimates.broadcaster.publish(estimate("jazz", 1))
        for client in clients:
            assert [(await receive(client))["type"] for _ in range(2)] == ["hello", "estimate"]
        await asyncio.gather(*(client.close() for client in clients))
        await wait_for_clients(estimates, 0)
        async with connect(url) as late:
            await receive(late)
            await check_still_serves(estimates, late, 2)
        async with asyncio.timeout(60):
            while descriptors() > before:
                await asyncio.sleep(0)

    serve(scenario, max_clients=64)
    check_log(caplog)
    lines = [record for record in caplog.records if "rejected" in record.getMessage()]
    assert 1 <= len(lines) <= 5, "hundreds of rejections are a few lines"
    assert any("full" in record.getMessage() for record in lines)


def test_a_flood_of_wrong_tokens_and_origins_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def open_client(url: str, origin: str | None, authorization: str) -> int:
        try:
            await connect(url, origin=origin, additional_headers={"Authorization": authorization})  # type: ignore[arg-type]
        except InvalidStatus as rejection:
            return rejection.response.status_code
        return 101

    async def scenario(estimates: EstimateServer, url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with connect(url, additional_headers=headers) as other:
            await receive(other)
            wrong = [open_client(url, None, f"Bearer {TOKEN[:number]}") for number in range(1, 20)]
            foreign = [open_client(url, "http://evil.example", f"Bearer {TOKEN}") for _ in range(20)]
            assert Counter(await asyncio.gather(*wrong, *foreign)) == {401: 19, 403: 20}
            text = (await asyncio.to_thread(http_get, url + "/metrics", headers))[2]
            assert 'refused_total{reason="token"} 19' in text
            assert 'refused_total{reason="origin"} 20' in text
            await check_still_serves(estimates, other)

    serve(scenario, token=TOKEN)
    check_log(caplog)
    assert TOKEN not in "".join(
        r.getMessage() for r in caplog.records if not r.name.startswith("websockets.client")
    )
