"""Messages from a real server on a free port to real clients."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.frames import CloseCode

from realtime.config import ServerSettings
from realtime.errors import ServerError
from realtime.protocol.builders import title_message
from realtime.protocol.messages import VERSION
from realtime.server.broadcaster import Broadcaster
from realtime.server.outbox import ClientOutbox
from realtime.server.websocket import EstimateServer
from tests.support.protocol import VALIDATOR, spectrum_message
from tests.support.websocket_client import estimate, hello, receive, serve, state, wait_for_clients


def test_hello_comes_first_and_numbers_rise() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            first = await receive(client)
            assert first["type"] == "hello"
            assert first["version"] == VERSION
            for number, label in enumerate(("jazz", "rock"), start=1):
                server.broadcaster.publish(estimate(label, number))
                message = await receive(client)
                assert (message["type"], message["estimate"]["label"]) == ("estimate", label)
                assert message["seq"] == first["seq"] + number

    serve(scenario)


def test_a_late_client_gets_the_current_state() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(state("LISTENING", 1, detail="all well"))
        server.broadcaster.publish(estimate("jazz", 2))
        server.broadcaster.publish(
            replace(title_message("fake", 2.0, "Evans - Blue in Green", "Evans", "Blue in Green"), seq=3)
        )
        async with connect(url) as client:
            first = await receive(client)
            assert (first["state"], first["detail"], first["seq"]) == ("LISTENING", "all well", 3)
            assert (first["estimate"]["label"], first["title"]) == ("jazz", "Evans - Blue in Green")
            assert (first["artist"], first["song"]) == ("Evans", "Blue in Green")
            VALIDATOR.validate(first)

    serve(scenario)


def test_several_sources_each_begin_with_their_hello() -> None:
    """A client gets a snapshot of each source, then new messages, numbered by source."""

    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(state("SILENT", 1, "system"))
        server.broadcaster.publish(estimate("rock", 1, "mic"))
        server.broadcaster.publish(estimate("jazz", 2, "mic"))
        async with connect(url) as client:
            mic, system = await receive(client), await receive(client)
            assert (mic["type"], mic["source"], mic["seq"]) == ("hello", "mic", 2)
            assert mic["estimate"]["label"] == "jazz"
            assert (system["type"], system["source"], system["seq"]) == ("hello", "system", 1)
            assert (system["state"], system["estimate"]) == ("SILENT", None)
            server.broadcaster.publish(estimate("pop", 3, "mic"))
            server.broadcaster.publish(estimate("metal", 2, "system"))
            server.broadcaster.publish(estimate("blues", 5, "mic"))
            received = [await receive(client) for _ in range(2)]
            assert [(each["source"], each["seq"]) for each in received] == [("system", 2), ("mic", 5)]
            assert received[1]["seq"] - mic["seq"] == 3, "the gap shows that two of mic's were left out"

    serve(scenario, sources=("mic", "system"))


def test_a_source_may_come_later() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            with pytest.raises(ValueError, match="'radio' is unknown"):
                server.broadcaster.publish(estimate("jazz", 1, "radio"))
            server.broadcaster.add(hello("radio"))
            server.broadcaster.publish(estimate("jazz", 1, "radio"))
            assert [(await receive(client))["type"] for _ in range(2)] == ["hello", "estimate"]
        with pytest.raises(ValueError, match="'radio' is served already"):
            server.broadcaster.add(hello("radio"))
        async with connect(url) as late:
            assert [(await receive(late))["source"] for _ in range(2)] == ["fake", "radio"]

    serve(scenario)


def test_a_name_with_lone_surrogates_is_sent() -> None:
    """Python keeps bytes of a file name that are not UTF-8 as lone surrogates."""

    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(state("SILENT", source="a\udcff.mp3"))
        async with connect(url) as client:
            assert (await receive(client))["source"] == "a?.mp3"

    serve(scenario, sources=("a\udcff.mp3",))


def test_without_a_client_nothing_is_encoded() -> None:
    """NaN is a bug of the worker, and must not pass silently once a client is connected."""

    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(replace(estimate("jazz"), level_dbfs=float("nan")))
        async with connect(url) as client:
            await receive(client)
            with pytest.raises(ValueError, match="not JSON compliant"):
                server.broadcaster.publish(replace(estimate("jazz"), level_dbfs=float("nan")))

    serve(scenario)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8502", "https://127.0.0.1:8501"]
)
def test_a_foreign_page_is_refused_before_the_connection(origin: str) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(url, origin=origin)  # type: ignore[arg-type]  # Origin is a NewType of str
        assert refusal.value.response.status_code == 403
        assert server.broadcaster.clients == 0

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
            server.broadcaster.publish(spectrum_message(1.0))
            server.broadcaster.publish(estimate("jazz"))
            assert (await receive(client))["type"] == "estimate"
            await client.send('{"type": "subscribe", "spectrum": true}')
            await (await client.ping())  # answered after the request was read
            server.broadcaster.publish(spectrum_message(2.0))
            assert (await receive(client))["end_seconds"] == 2.0

    serve(scenario)


@pytest.mark.parametrize(
    "request_text",
    ["no json", "[]", "{}", '{"type": "subscribe"}', '{"type": "subscribe", "spectrum": 1}',
     '{"type": "subscribe", "spectrum": true, "more": 1}', '{"type": "shutdown", "spectrum": true}',
     "[" * 1024, b'{"type": "subscribe", "spectrum": true}'],
)  # fmt: skip
def test_anything_else_from_a_client_ends_its_connection(
    request_text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A kilobyte of brackets is too deep for Python's parser, and once caused a traceback in the log."""

    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await client.send(request_text)
            with pytest.raises(ConnectionClosedError, match="expected a subscribe message") as end:
                await receive(client)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == CloseCode.POLICY_VIOLATION
        await wait_for_clients(server, 0)

    serve(scenario)
    assert not [record for record in caplog.records if record.exc_info]


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
        box = ClientOutbox()
        box.put("mic", "hello", "hello")
        for number in range(1_000):
            box.put("mic", "estimate", f"estimate {number}")
            box.put("system", "estimate", f"other {number}")
            box.put("mic", "health", f"health {number}")
        box.put("mic", "estimate", "estimate last")
        assert len(box) == 4
        assert [await box.take() for _ in range(4)] == ["hello", "other 999", "health 999", "estimate last"]
        assert len(box) == 0

    asyncio.run(scenario())


def test_stopping_says_goodbye_with_a_reason() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await server.stop()
            with pytest.raises(ConnectionClosedOK, match="the analyzer stops"):
                await receive(client)

    serve(scenario)


def test_a_long_reason_is_cut_to_what_fits() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client:
            await receive(client)
            await server.stop("é" * 100)
            with pytest.raises(ConnectionClosedOK) as end:
                await receive(client)
            assert end.value.rcvd is not None
            assert end.value.rcvd.reason == "é" * 61

    serve(scenario)


def test_a_busy_port_is_explained() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        port = int(url.rpartition(":")[2])
        with pytest.raises(ServerError, match=rf"cannot listen on 127.0.0.1:{port}: .*--port selects"):
            await EstimateServer(Broadcaster([hello()]), ServerSettings()).start("127.0.0.1", port)

    serve(scenario)


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(ServerError, match=r"cannot listen on 192.0.2.1:0"):
        asyncio.run(EstimateServer(Broadcaster([hello()]), ServerSettings()).start("192.0.2.1", 0))
