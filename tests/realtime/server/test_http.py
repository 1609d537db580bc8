"""Pages of history and log: access, and a history that responds slowly."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect

from realtime.server.log_buffer import MAX_LINES, LogBuffer
from realtime.server.requests import UNPRIVILEGED
from realtime.server.websocket import EstimateServer
from tests.support.privileged_client import BEARER, CONTROL_TOKEN, RecordingHistory, serve_privileged
from tests.support.waiting import wait_until
from tests.support.websocket_client import TOKEN, check_log, estimate, http_get, open_raw, read_rest, receive


def test_history_and_log_require_the_token() -> None:
    history, log = RecordingHistory(), LogBuffer([CONTROL_TOKEN])
    log.handle(logging.makeLogRecord({"msg": "here we go", "levelname": "INFO", "levelno": 20}))

    async def scenario(server: EstimateServer, url: str) -> None:
        for path in ("/history", "/history/3", "/log"):
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {CONTROL_TOKEN}"},
            ):
                status, kind, body = await asyncio.to_thread(http_get, url + path, headers)
                assert (status, kind) == (401, "text/plain; charset=utf-8")
                assert UNPRIVILEGED in body
            for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
                assert (await asyncio.to_thread(http_get, url + path, BEARER | headers))[0] == 403
            assert (await asyncio.to_thread(http_get, f"{url}{path}?token={CONTROL_TOKEN}", BEARER))[0] == 400
            assert (await asyncio.to_thread(http_get, url + path, BEARER, None, "HEAD"))[::2] == (200, "")
            status, kind, _ = await asyncio.to_thread(http_get, url + path, BEARER)
            assert (status, kind) == (200, "application/json")
        assert json.loads((await asyncio.to_thread(http_get, url + "/history/3", BEARER))[2]) == {"rest": "3"}
        assert (await asyncio.to_thread(http_get, url + "/history/9", BEARER))[::2] == (
            404,
            '{"error": "no session 9"}',
        )
        (line,) = json.loads((await asyncio.to_thread(http_get, url + "/log", BEARER))[2])["lines"]
        assert line.endswith(" INFO here we go")
        for path in ("/history/", "/history/../log", "/history/x", "/history/1/2", "/history/" + "1" * 16):
            assert (await asyncio.to_thread(http_get, url + path, BEARER))[0] == 426, (
                "this is not a page of the server"
            )

    serve_privileged(scenario, history=history, log=log)
    assert set(history.requests) == {"", "3", "9"}


def test_without_a_history_its_page_is_empty() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        status, _, body = await asyncio.to_thread(http_get, url + "/history", BEARER)
        assert (status, json.loads(body)) == (
            200,
            {"path": None, "sessions": [], "corrections": 0, "sounds": 0},
        )
        assert (await asyncio.to_thread(http_get, url + "/history/1", BEARER))[0] == 404
        assert json.loads((await asyncio.to_thread(http_get, url + "/log", BEARER))[2]) == {"lines": []}

    serve_privileged(scenario)


def test_a_slow_history_delays_no_other_client(caplog: pytest.LogCaptureFixture) -> None:
    history = RecordingHistory()
    history.may_respond.clear()

    async def scenario(server: EstimateServer, url: str) -> None:
        request = (
            f"GET /history HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BEARER['Authorization']}\r\n\r\n"
        )
        (_, leaving), (reader, writer) = (
            await open_raw(url, request.encode()),
            await open_raw(url, request.encode()),
        )
        async with connect(url) as client:
            await receive(client)
            await asyncio.to_thread(wait_until, lambda: len(history.requests) == 2)
            server.broadcaster.publish(estimate("jazz"))
            assert (await receive(client))["type"] == "estimate"
            leaving.transport.abort()
            history.may_respond.set()
            assert (await read_rest(reader)).endswith(b'{"rest": ""}')
            writer.close()
            server.broadcaster.publish(estimate("jazz", 2))
            assert (await receive(client))["seq"] == 2

    serve_privileged(scenario, history=history)
    check_log(caplog)


def test_the_log_has_the_last_lines_without_secrets_and_tracebacks() -> None:
    buffer = LogBuffer(["", TOKEN])
    logger = logging.getLogger("tests.log_tail")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(buffer)
    try:
        for number in range(MAX_LINES + 50):
            logger.info("line %d", number)
        logger.debug("a debug line")
        logger.warning("the token is %s\nand \x1b[31m more", TOKEN)
        try:
            raise ValueError("a reason")
        except ValueError:
            logger.exception("broken: %s", "x" * 10_000)
    finally:
        logger.removeHandler(buffer)
    lines = json.loads(buffer.to_json())["lines"]
    assert len(lines) == MAX_LINES
    assert lines[0].endswith(" INFO line 52")
    assert lines[-2].endswith(" WARNING the token is (secret) and ?[31m more")
    assert len(lines[-1]) < 700
    assert "a reason" not in buffer.to_json(), "the page must not show tracebacks"


def test_what_is_playing_needs_the_token_of_a_client_only() -> None:
    """The page of ``overheard run`` has a token of its own, which other programs do not know."""
    document: dict[str, Any] | None = {"source": "a", "model": "m", "windows": 2, "embedding": [0.6, 0.8]}

    async def scenario(server: EstimateServer, url: str) -> None:
        nonlocal document
        status, kind, body = await asyncio.to_thread(http_get, url + "/sound", {})
        assert (status, kind, json.loads(body)) == (200, "application/json", document)
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            assert (await asyncio.to_thread(http_get, url + "/sound", headers))[0] == 403
        document = None
        status, _, body = await asyncio.to_thread(http_get, url + "/sound", {})
        assert (status, "is paused" in body) == (404, True)

    async def with_token(server: EstimateServer, url: str) -> None:
        assert (await asyncio.to_thread(http_get, url + "/sound", {}))[0] == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await asyncio.to_thread(http_get, url + "/sound", bearer))[0] == 404

    serve_privileged(scenario, sound=lambda: document)
    serve_privileged(with_token, control_token="", token=TOKEN)
