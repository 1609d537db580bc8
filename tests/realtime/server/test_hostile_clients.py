"""Hostile and broken clients against the real server, over real sockets. Other clients must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import CloseCode

from realtime.protocol.requests import HistoryControl, Outcome
from realtime.server.limits import ServerLimits
from realtime.server.websocket import EstimateServer
from tests.support.waiting import at_most
from tests.support.websocket_client import (
    BEARER,
    HANDSHAKE,
    TOKEN,
    check_log,
    check_still_serves,
    estimate,
    get_port,
    http_get,
    open_raw,
    read_rest,
    receive,
    serve,
    state,
    wait_for_clients,
)

TEXT, BINARY, CONTINUATION, PING, FINAL = 1, 2, 0, 9, 0x80


def frame(opcode: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """Build a frame masked with zeros. ``length`` is a wrong length of the payload."""
    size = len(payload) if length is None else length
    if size < 126:
        head = struct.pack(">BB", opcode, 0x80 | size)
    else:
        head = struct.pack(">BBQ", opcode, 0x80 | 127, size)
    return head + bytes(4) + payload


async def open_websocket(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a websocket without a library."""
    reader, writer = await open_raw(url)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def silent_client(url: str) -> socket.socket:
    """Open a websocket that never reads, with small buffers so that the server notices soon."""
    loop = asyncio.get_running_loop()
    never = socket.socket()
    never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    never.setblocking(False)
    await loop.sock_connect(never, ("127.0.0.1", get_port(url)))
    await loop.sock_sendall(never, HANDSHAKE)
    return never


def test_a_client_that_never_reads_costs_a_handful_of_messages(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as reader:
            await receive(reader)
            never = await silent_client(url)
            await wait_for_clients(estimates, 2)
            max_size = 0
            for number in range(1, 3_001):
                kind = (
                    state("LISTENING", number, detail="x" * 4_000) if number % 2 else estimate("jazz", number)
                )
                estimates.broadcaster.publish(kind)
                assert (await receive(reader))["seq"] == number, "the other one gets them all"
                max_size = max(max_size, *(len(outbox) for outbox in estimates.broadcaster._outboxes))
            assert max_size <= 3, "hello, state and estimate at most"
            # Six megabytes were published; what was written for it is what the sockets hold.
            got = bytearray()
            loop = asyncio.get_running_loop()
            while b'"seq":3000' not in got:
                got += await asyncio.wait_for(loop.sock_recv(never, 1 << 16), 5)
            assert len(got) < 5_000_000, "the newest came long before all of them"
            never.close()

    serve(scenario)
    check_log(caplog)


def test_a_client_that_sends_requests_without_reading_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Responses do not replace earlier ones. They piled up while the client read slowly."""

    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as reader:
            await receive(reader)
            never = await silent_client(url)
            await wait_for_clients(estimates, 2)
            number = max_size = 0
            while estimates.broadcaster.clients == 2 and number < 200:
                number += 1
                filling = state("LISTENING", number, detail="x" * 60_000)  # fills its sockets
                estimates.broadcaster.publish(filling)
                await receive(reader)
                text = json.dumps({"type": "control", "id": str(number), "action": "pause"})
                with contextlib.suppress(ConnectionError):
                    never.sendall(frame(FINAL | TEXT, text.encode()))
                await asyncio.sleep(0.01)
                max_size = max(max_size, *(len(outbox) for outbox in estimates.broadcaster._outboxes), 0)
            never.close()
            assert 20 < max_size < 30
            text = (await asyncio.to_thread(http_get, url + "/metrics"))[2]
            assert 'overheard_connections_refused_total{reason="slow"} 1' in text
            await check_still_serves(estimates, reader, number + 1)

    serve(scenario, limits=ServerLimits(waiting_messages=20, request_burst=10_000, requests_per_second=1))
    check_log(caplog)


def test_a_client_that_does_not_read_is_dropped_after_the_timeout(caplog: pytest.LogCaptureFixture) -> None:

    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as reader:
            await receive(reader)
            never = await silent_client(url)
            await wait_for_clients(estimates, 2)
            number = 0
            async with asyncio.timeout(60):
                while estimates.broadcaster.clients == 2:
                    number += 1
                    estimates.broadcaster.publish(state("LISTENING", number, detail="x" * 60_000))
                    await receive(reader)
            never.close()
            text = (await asyncio.to_thread(http_get, url + "/metrics"))[2]
            assert 'overheard_connections_refused_total{reason="slow"} 1' in text
            await check_still_serves(estimates, reader, number + 1)

    serve(scenario, limits=ServerLimits(send_seconds=0.2))
    check_log(caplog)


def test_stopping_does_not_wait_for_those_who_do_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """The library's closing handshake waits behind earlier messages, without a limit."""

    async def scenario(estimates: EstimateServer, url: str) -> None:
        never = await silent_client(url)
        half_open = (await open_raw(url, b""))[1]
        async with connect(url) as reader:
            await receive(reader)
            await wait_for_clients(estimates, 2)
            for number in range(1, 300):
                estimates.broadcaster.publish(state("LISTENING", number, detail="x" * 60_000))
                await receive(reader)
            with at_most(4):
                await asyncio.wait_for(estimates.stop(), 60)
        never.close()
        half_open.close()

    serve(scenario)
    check_log(caplog)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(FINAL | TEXT, b"x" * 100, length=1 << 40), CloseCode.MESSAGE_TOO_BIG),
        (frame(FINAL | TEXT, b"x" * 1025), CloseCode.MESSAGE_TOO_BIG),
        (frame(TEXT, b"x" * 1000) + frame(FINAL | CONTINUATION, b"x" * 1000), CloseCode.MESSAGE_TOO_BIG),
        (frame(FINAL | TEXT, b"\xff\xfe\xfd"), CloseCode.INVALID_DATA),
        (frame(FINAL | TEXT, b"\xed\xa0\x80"), CloseCode.INVALID_DATA),
        (frame(FINAL | BINARY, b"\x00" * 40), CloseCode.POLICY_VIOLATION),
        (frame(FINAL | TEXT, b"[" * 1024), CloseCode.POLICY_VIOLATION),
        (frame(FINAL | CONTINUATION, b"x"), CloseCode.PROTOCOL_ERROR),
        (frame(0x70 | FINAL | TEXT, b"x"), CloseCode.PROTOCOL_ERROR),
        (frame(FINAL | 0xF, b"x"), CloseCode.PROTOCOL_ERROR),
        (b"\x81\x05hello", CloseCode.PROTOCOL_ERROR),
        (HANDSHAKE, CloseCode.PROTOCOL_ERROR),
    ],
    ids=["terabyte", "1025 bytes", "two halves", "no UTF-8", "surrogate", "binary", "brackets",
         "continuation of nothing", "reserved bits", "unknown opcode", "no mask", "HTTP again"],
)  # fmt: skip
def test_invalid_bytes_end_their_own_connection_only(
    sent: bytes, code: CloseCode, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as other:
            await receive(other)
            reader, writer = await open_websocket(url)
            writer.write(sent)
            writer.write_eof()
            assert struct.pack(">H", code) in await read_rest(reader)
            writer.close()
            await wait_for_clients(estimates, 1)
            await check_still_serves(estimates, other)

    serve(scenario)
    check_log(caplog)


@pytest.mark.parametrize(
    "piece",
    [frame(FINAL | PING, b"x" * 100), frame(CONTINUATION)],
    ids=["pings", "empty pieces of a message"],
)
def test_the_bytes_of_pings_and_fragments_are_limited(piece: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Pongs pile up for a client that does not read, and fragments of a message that never ends."""

    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as other:
            await receive(other)
            _, writer = await open_websocket(url)
            await wait_for_clients(estimates, 2)
            with contextlib.suppress(ConnectionError):
                writer.write(frame(TEXT))
                for _ in range(1_000):
                    writer.write(piece * 20)
                    await writer.drain()
            await wait_for_clients(estimates, 1)
            writer.close()
            text = (await asyncio.to_thread(http_get, url + "/metrics"))[2]
            assert 'overheard_connections_refused_total{reason="bytes"} 1' in text
            await check_still_serves(estimates, other)

    serve(scenario)
    check_log(caplog)


class SlowHistory:
    """History whose document takes a moment, in which more bytes of the client arrive."""

    def read_document(self, session: str) -> tuple[int, str]:
        time.sleep(0.05)
        return 200, "{}"

    def handle_control(self, control: HistoryControl) -> Outcome:
        raise NotImplementedError


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/history", "/nothing"])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "more", [b"zz\r\n", frame(0x70 | FINAL | TEXT, b"x"), frame(FINAL | CONTINUATION), b"\x81\5hello"]
)
def test_bytes_between_a_request_and_its_response_are_no_traceback(
    path: str, at_once: bool, more: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The library closed the connection, and then logged a failed assertion about the response."""
    head = HANDSHAKE.replace(b"GET /", f"GET {path}".encode()).replace(
        b"\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )

    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as other:
            await receive(other)
            reader, writer = await open_raw(url, head + more if at_once else head)
            if not at_once:
                await asyncio.sleep(0.01)
                writer.write(more)
            await read_rest(reader)
            writer.close()
            await wait_for_clients(estimates, 1)
            await check_still_serves(estimates, other)

    serve(scenario, token=TOKEN, history=SlowHistory())
    check_log(caplog)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), min_size=1, max_size=5))
def test_fuzzed_messages(caplog: pytest.LogCaptureFixture, sent: list[str | bytes]) -> None:
    async def scenario(estimates: EstimateServer, url: str) -> None:
        async with connect(url) as client, connect(url) as other:
            await receive(client)
            await receive(other)
            with contextlib.suppress(ConnectionClosed):
                for message in sent:
                    await client.send(message)
            with pytest.raises(ConnectionClosedError, match="expected a subscribe message"):
                await receive(client)
            await check_still_serves(estimates, other)

    serve(scenario)
    check_log(caplog)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=400), st.booleans())
def test_fuzzed_bytes(caplog: pytest.LogCaptureFixture, sent: bytes, opened: bool) -> None:
    """Any bytes, before and after the handshake."""

    async def scenario(estimates: EstimateServer, url: str) -> None:
        reader, writer = await (open_websocket(url) if opened else open_raw(url, b""))
        writer.write(sent)
        writer.write_eof()
        await read_rest(reader)
        writer.close()
        async with connect(url) as other:
            await receive(other)
            await check_still_serves(estimates, other)
        await wait_for_clients(estimates, 0)

    serve(scenario)
    check_log(caplog)
