"""Tokens, limits, endpoints and TLS of a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Origin, Subprotocol

from realtime.config import ServerSettings
from realtime.errors import ServerError
from realtime.server.broadcaster import Broadcaster
from realtime.server.websocket import EstimateServer
from tests.support.network import Certificate, make_certificate
from tests.support.websocket_client import (
    BEARER,
    SUBSCRIBE,
    TOKEN,
    estimate,
    hello,
    http_get,
    receive,
    serve,
    state,
    wait_for_clients,
)


def protocols(*names: str) -> list[Subprotocol]:
    return [Subprotocol(name) for name in names]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_no_client_is_admitted(headers: dict[str, str]) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as rejection:
            await connect(url, additional_headers=headers)
        assert rejection.value.response.status_code == 401
        assert rejection.value.response.headers["WWW-Authenticate"] == "Bearer"
        assert b"overheard.token.TOKEN" in bytes(rejection.value.response.body or b"")
        assert server.broadcaster.clients == 0

    serve(scenario, token=TOKEN)


def test_the_token_is_accepted_as_header_and_as_subprotocol() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            assert client.subprotocol is None
            assert (await receive(client))["type"] == "hello"
        offered = protocols("overheard.2", f"overheard.token.{TOKEN}")
        async with connect(url, subprotocols=offered, origin=Origin("http://page.example")) as client:
            assert client.subprotocol == "overheard.2", (
                "the server must not select the subprotocol with the token"
            )
            assert (await receive(client))["type"] == "hello"

    serve(scenario, token=TOKEN, allow_origin=("http://page.example",))


def test_a_token_in_the_address_is_rejected_with_the_right_place() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as rejection:
            await connect(f"{url}/?token={TOKEN}", additional_headers=BEARER)
        assert rejection.value.response.status_code == 400
        body = bytes(rejection.value.response.body or b"").decode()
        assert "Authorization: Bearer TOKEN" in body
        assert TOKEN not in body

    serve(scenario, token=TOKEN)


@pytest.mark.parametrize("offered", ["overheard.1", "overheard.3"])
def test_a_rejected_version_gets_both_versions(offered: str) -> None:
    """A client of version 1 would misread renamed messages, so it does not get in."""

    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as rejection:
            await connect(url, subprotocols=protocols(offered, "overheard.token.secret"))
        assert rejection.value.response.status_code == 400
        body = bytes(rejection.value.response.body or b"").decode()
        assert body == (
            "this analyzer speaks version 2 of the protocol (overheard.2), and the client offered "
            f"{offered}; install the same version of Overheard on both sides\n"
        )
        async with connect(url, subprotocols=protocols(offered, "overheard.2")) as client:
            assert client.subprotocol == "overheard.2"

    serve(scenario)


def test_one_client_too_many_is_refused_until_another_leaves() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as first, connect(url) as second:
            await receive(first)
            await receive(second)
            with pytest.raises(InvalidStatus) as rejection:
                await connect(url)
            assert rejection.value.response.status_code == 503
            assert b"--max-clients" in bytes(rejection.value.response.body or b"")
            assert (await asyncio.to_thread(http_get, url + "/healthz"))[0] == 200, (
                "a request for /healthz must not count as a client"
            )
        await wait_for_clients(server, 0)
        async with connect(url) as client:
            assert (await receive(client))["type"] == "hello"

    serve(scenario, max_clients=2)


def test_a_client_that_sends_too_many_messages_is_closed() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as client, connect(url) as other:
            await receive(client)
            await receive(other)
            for _ in range(11):
                await client.send(SUBSCRIBE)
            with pytest.raises(ConnectionClosedError, match="more than 2 messages a second") as end:
                await receive(client)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1008
            for _ in range(10):
                await other.send(SUBSCRIBE)
            server.broadcaster.publish(estimate("jazz"))
            assert (await receive(other))["type"] == "estimate", "ten messages at once are allowed"

    serve(scenario)


def test_health_needs_no_token_and_metrics_do() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            await receive(client)
            server.broadcaster.publish(estimate("jazz", 1, "mic"))
            server.broadcaster.publish(state("LISTENING", 2, "mic"))
            status, kind, body = await asyncio.to_thread(http_get, url + "/healthz")
            assert (status, json.loads(body)) == (200, {"status": "ok"}), (
                "a client without the token must not learn the names of sources"
            )
            status, kind, body = await asyncio.to_thread(http_get, url + "/healthz", BEARER)
            report = json.loads(body)
            assert (status, kind, report["status"], report["clients"]) == (200, "application/json", "ok", 1)
            assert report["sources"] == {"mic": "LISTENING", "system": "CONNECTING"}
            assert 0 <= report["uptime_seconds"] < 60
            assert (await asyncio.to_thread(http_get, url + "/metrics"))[0] == 401
            assert (await asyncio.to_thread(http_get, f"{url}/metrics?token={TOKEN}", BEARER))[0] == 400
            status, kind, body = await asyncio.to_thread(http_get, url + "/metrics", BEARER)
            assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert 'overheard_latency_seconds_count{source="mic"} 1' in body
            assert 'overheard_connections_refused_total{reason="token"} 1' in body
            assert "overheard_clients 1" in body

    serve(scenario, sources=("mic", "system"), token=TOKEN)


@pytest.mark.parametrize("trouble", ["FAILED", "STALLED", "RECOVERING"])
def test_one_source_in_trouble_is_enough_to_be_degraded(trouble: str) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.broadcaster.publish(state("LISTENING", 1, "system"))
        server.broadcaster.publish(state(trouble, 1, "mic"))
        status, _, body = await asyncio.to_thread(http_get, url + "/healthz")
        assert (status, json.loads(body)["status"]) == (503, "degraded")
        server.broadcaster.publish(state("SILENT", 2, "mic"))
        assert (await asyncio.to_thread(http_get, url + "/healthz"))[0] == 200

    serve(scenario, sources=("mic", "system"))


def test_pages_keep_foreign_pages_out_and_leave_the_rest_to_the_library() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        assert (await asyncio.to_thread(http_get, url + "/metrics"))[0] == 200
        assert (await asyncio.to_thread(http_get, url + "/metrics", None, None, "HEAD"))[::2] == (200, "")
        assert (await asyncio.to_thread(http_get, url + "/metrics", {"Origin": "http://evil.example"}))[
            0
        ] == 403
        assert (await asyncio.to_thread(http_get, url + "/healthz", {"Host": "evil.example"}))[0] == 403
        assert (await asyncio.to_thread(http_get, url + "/healthz", None, None, "DELETE"))[0] == 405
        assert (await asyncio.to_thread(http_get, url + "/elsewhere"))[0] == 426

    serve(scenario)


def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The library logs the headers of every request at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("quiet", "asyncio"):  # the log of the client, which the server does not control
        logging.getLogger(name).setLevel(logging.CRITICAL)

    async def scenario(server: EstimateServer, url: str) -> None:
        quiet = logging.getLogger("quiet")
        async with connect(url, additional_headers=BEARER, logger=quiet) as client:
            await receive(client)
        offered = protocols("overheard.3", f"overheard.token.{TOKEN}")
        for target, names in ((f"{url}/?token={TOKEN}", None), (url, offered)):
            with pytest.raises(InvalidStatus):
                await connect(target, subprotocols=names, logger=quiet)
        await wait_for_clients(server, 0)

    serve(scenario, token=TOKEN)
    assert "a client connected; there are 1" in caplog.text
    assert "connections rejected or closed" in caplog.text
    assert TOKEN not in caplog.text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_websocket_and_pages_over_tls(certificate: Certificate) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        trusted = ssl.create_default_context(cafile=certificate.path)
        secure = url.replace("ws://", "wss://")
        async with connect(secure, ssl=trusted, additional_headers=BEARER) as client:
            assert (await receive(client))["type"] == "hello"
        assert (await asyncio.to_thread(http_get, secure + "/healthz", None, trusted))[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(secure, ssl=ssl.create_default_context())
        async with connect(secure, ssl=trusted, additional_headers=BEARER) as client:
            assert (await receive(client))["type"] == "hello"

    serve(scenario, token=TOKEN, tls_certificate=str(certificate.path), tls_key=str(certificate.key))


def test_unusable_certificate_and_key_files_are_named_in_the_error(
    certificate: Certificate, tmp_path: Path
) -> None:
    own, key = str(certificate.path), str(certificate.key)
    other = make_certificate(tmp_path, "other")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:word", "-in", key, "-out", locked],
        check=True,
        capture_output=True,
    )
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for pair in (
        (str(tmp_path / "none.pem"), key),
        (own, str(tmp_path / "none.key")),
        (own, str(other.key)),
        (own, str(locked)),
        (str(text), key),
    ):
        files = ServerSettings(tls_certificate=pair[0], tls_key=pair[1])
        server = EstimateServer(Broadcaster([hello()]), files)
        with pytest.raises(ServerError) as rejection:
            asyncio.run(server.start("127.0.0.1", 0))
        message = str(rejection.value)
        assert all(name in message for name in pair)
        assert "name a certificate in PEM and the key that belongs to it" in message
        assert "\n" not in message
