"""Who is let in: the rules on values, then a real server with its token, its pages and TLS."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Origin, Subprotocol

from realtime.config import ServerSettings
from realtime.errors import ServerError
from realtime.protocol.messages import schema
from realtime.server import access
from realtime.server.access import AccessPolicy, HandshakeRequest, reject_client, reject_page
from realtime.server.rate_limit import RejectionLog, TokenBucket
from realtime.server.requests import parse_subscribe
from realtime.server.websocket import EstimateServer
from tests.support.websocket_client import (
    BEARER,
    TOKEN,
    connected,
    estimate,
    get,
    hello,
    receive,
    serve,
    state,
)

SUBSCRIBE = '{"type": "subscribe", "spectrum": true}'


def protocols(*names: str) -> list[Subprotocol]:
    return [Subprotocol(name) for name in names]


# ---- the rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knock", "reason"),
    [
        (HandshakeRequest("/"), "token"),
        (HandshakeRequest("/", authorizations=("Bearer wrong",)), "token"),
        (HandshakeRequest("/", authorizations=(f"Basic {TOKEN}",)), "token"),
        (HandshakeRequest("/", authorizations=(TOKEN,)), "token"),
        (HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}é",)), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.1",)), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.1", "overheard.token.")), "token"),
        (HandshakeRequest("/", subprotocols=("overheard.1", TOKEN)), "token"),
        (HandshakeRequest(f"/?token={TOKEN}", authorizations=(f"Bearer {TOKEN}",)), "token_in_address"),
        (HandshakeRequest(f"/live?a=1&%74oken={TOKEN}"), "token_in_address"),
        (HandshakeRequest("/?TOKEN"), "token_in_address"),
        (
            HandshakeRequest("/", origins=("http://evil.example",), authorizations=(f"Bearer {TOKEN}",)),
            "origin",
        ),
        (HandshakeRequest("/", origins=("http://page.example", "http://page.example")), "origin"),
        (HandshakeRequest("/", origins=("http://page.example/",)), "origin"),
        (HandshakeRequest("/", subprotocols=(f"overheard.token.{TOKEN}",)), "version"),
        (HandshakeRequest("/", subprotocols=("overheard.2", f"overheard.token.{TOKEN}")), "version"),
        (HandshakeRequest("/", subprotocols=("chat",), authorizations=(f"Bearer {TOKEN}",)), "version"),
        (HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}",)), None),
        (HandshakeRequest("/any/path?x=1", authorizations=(f"bearer  {TOKEN}",)), None),
        (HandshakeRequest("/", subprotocols=("overheard.1", f"overheard.token.{TOKEN}")), None),
        (
            HandshakeRequest(
                "/", ("http://page.example",), (), ("overheard.2", "overheard.1", f"overheard.token.{TOKEN}")
            ),
            None,
        ),
    ],
)
def test_the_rules_for_clients(knock: HandshakeRequest, reason: str | None) -> None:
    refusal = reject_client(knock, AccessPolicy(["http://page.example"], TOKEN, 2), 1)
    assert (refusal.reason if refusal else None) == reason
    if refusal is not None:
        assert TOKEN not in refusal.sentence


def test_the_limit_is_the_last_thing_that_is_looked_at() -> None:
    rules = AccessPolicy(token=TOKEN, max_clients=2)
    full = reject_client(HandshakeRequest("/", authorizations=(f"Bearer {TOKEN}",)), rules, 2)
    assert full is not None
    assert (full.status, full.reason) == (503, "full")
    stranger = reject_client(HandshakeRequest("/"), rules, 2)
    assert stranger is not None
    assert stranger.status == 401, "who may not come in need not know how many are"


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1:8765", None), ("localhost", None), ("[::1]:8765", None),
     ("evil.example:8765", "host"), ("", "host"), ("[::1", "host"), ("192.168.0.7", "host")],
)  # fmt: skip
def test_without_a_token_pages_answer_to_this_machine_only(host: str, reason: str | None) -> None:
    """A web page may let its own name point to 127.0.0.1, and the browser would let it read the answer."""
    refusal = reject_page(HandshakeRequest("/healthz", hosts=(host,)), AccessPolicy(), needs_token=False)
    assert (refusal.reason if refusal else None) == reason
    known = HandshakeRequest("/healthz", hosts=(host,), authorizations=(f"Bearer {TOKEN}",))
    assert reject_page(known, AccessPolicy(token=TOKEN), needs_token=True) is None


@given(st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["subscribe", "type", "spectrum"]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "spectrum", "more"]), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
    st.builds(lambda wanted: json.dumps({"spectrum": wanted, "type": "subscribe"}), st.booleans()),
))  # fmt: skip
def test_a_request_is_taken_exactly_when_the_schema_takes_it(request_text: str | bytes) -> None:
    wanted = parse_subscribe(request_text)
    one = schema()["$defs"]["subscribe"]
    try:
        valid = isinstance(request_text, str) and Draft202012Validator(one).is_valid(json.loads(request_text))
    except ValueError:
        valid = False
    assert (wanted is not None) == valid


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(10, 2.0, now=100.0)
    assert [bucket.take(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(100.5), bucket.take(100.5)] == [True, False]
    assert bucket.take(99.0) is False, "a clock that steps back gives nothing"
    assert bucket.take(101.0, amount=1.0) is True
    assert [bucket.take(1_000.0) for _ in range(11)] == [True] * 10 + [False], "never more than the burst"


def test_refusals_are_told_at_once_then_counted() -> None:
    log = RejectionLog(every_seconds=5.0)
    assert log.add("token", 0.0) == "connections refused or ended since the last such line: 1 (token 1)"
    assert [log.add(reason, 4.9) for reason in ("token", "origin", "token")] == [None] * 3
    assert str(log.add("full", 5.0)).endswith("4 (full 1, origin 1, token 2)")
    assert log.rest(5.0) is None
    assert log.add("full", 6.0) is None
    assert str(log.rest(6.0)).endswith("1 (full 1)")


# ---- the real server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_nobody_comes_in(headers: dict[str, str]) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(url, additional_headers=headers)
        assert refusal.value.response.status_code == 401
        assert refusal.value.response.headers["WWW-Authenticate"] == "Bearer"
        assert b"overheard.token.TOKEN" in bytes(refusal.value.response.body or b"")
        assert server.clients == 0

    serve(scenario, token=TOKEN)


def test_the_token_opens_as_a_header_and_as_a_browser_sends_it() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            assert client.subprotocol is None
            assert (await receive(client))["type"] == "hello"
        offered = protocols("overheard.1", f"overheard.token.{TOKEN}")
        async with connect(url, subprotocols=offered, origin=Origin("http://page.example")) as client:
            assert client.subprotocol == "overheard.1", "and not the token"
            assert (await receive(client))["type"] == "hello"

    serve(scenario, token=TOKEN, allow_origin=("http://page.example",))


def test_a_token_in_the_address_is_told_where_it_belongs() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{url}/?token={TOKEN}", additional_headers=BEARER)
        assert refusal.value.response.status_code == 400
        body = bytes(refusal.value.response.body or b"").decode()
        assert "Authorization: Bearer TOKEN" in body
        assert TOKEN not in body

    serve(scenario, token=TOKEN)


def test_another_version_is_told_both() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(url, subprotocols=protocols("overheard.2", "overheard.token.secret"))
        assert refusal.value.response.status_code == 400
        body = bytes(refusal.value.response.body or b"").decode()
        assert "this server speaks overheard.1; the client offered overheard.2;" in body
        async with connect(url, subprotocols=protocols("overheard.2", "overheard.1")) as client:
            assert client.subprotocol == "overheard.1"

    serve(scenario)


def test_one_client_too_many_is_refused_until_another_leaves() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url) as first, connect(url) as second:
            await receive(first)
            await receive(second)
            with pytest.raises(InvalidStatus) as refusal:
                await connect(url)
            assert refusal.value.response.status_code == 503
            assert b"--max-clients" in bytes(refusal.value.response.body or b"")
            assert (await asyncio.to_thread(get, url + "/healthz"))[0] == 200, "who watches is not a client"
        await connected(server, 0)
        async with connect(url) as client:
            assert (await receive(client))["type"] == "hello"

    serve(scenario, max_clients=2)


def test_who_says_too_much_is_sent_away() -> None:
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
            server.publish(estimate("jazz"))
            assert (await receive(other))["type"] == "estimate", "ten at once are fine"

    serve(scenario)


def test_health_needs_no_token_and_metrics_do() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        async with connect(url, additional_headers=BEARER) as client:
            await receive(client)
            server.publish(estimate("jazz", 1, "mic"))
            server.publish(state("LISTENING", 2, "mic"))
            status, kind, body = await asyncio.to_thread(get, url + "/healthz")
            assert (status, json.loads(body)) == (200, {"status": "ok"}), "no names for whoever asks"
            status, kind, body = await asyncio.to_thread(get, url + "/healthz", BEARER)
            report = json.loads(body)
            assert (status, kind, report["status"], report["clients"]) == (200, "application/json", "ok", 1)
            assert report["sources"] == {"mic": "LISTENING", "system": "CONNECTING"}
            assert 0 <= report["uptime_seconds"] < 60
            assert (await asyncio.to_thread(get, url + "/metrics"))[0] == 401
            assert (await asyncio.to_thread(get, f"{url}/metrics?token={TOKEN}", BEARER))[0] == 400
            status, kind, body = await asyncio.to_thread(get, url + "/metrics", BEARER)
            assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert 'overheard_latency_seconds_count{source="mic"} 1' in body
            assert 'overheard_connections_refused_total{reason="token"} 1' in body
            assert "overheard_clients 1" in body

    serve(scenario, sources=("mic", "system"), token=TOKEN)


@pytest.mark.parametrize("trouble", ["FAILED", "STALLED", "RECOVERING"])
def test_one_source_in_trouble_is_enough_to_be_degraded(trouble: str) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        server.publish(state("LISTENING", 1, "system"))
        server.publish(state(trouble, 1, "mic"))
        status, _, body = await asyncio.to_thread(get, url + "/healthz")
        assert (status, json.loads(body)["status"]) == (503, "degraded")
        server.publish(state("SILENT", 2, "mic"))
        assert (await asyncio.to_thread(get, url + "/healthz"))[0] == 200

    serve(scenario, sources=("mic", "system"))


def test_pages_keep_foreign_pages_out_and_leave_the_rest_to_the_library() -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        assert (await asyncio.to_thread(get, url + "/metrics"))[0] == 200
        assert (await asyncio.to_thread(get, url + "/metrics", None, None, "HEAD"))[::2] == (200, "")
        assert (await asyncio.to_thread(get, url + "/metrics", {"Origin": "http://evil.example"}))[0] == 403
        assert (await asyncio.to_thread(get, url + "/healthz", {"Host": "evil.example"}))[0] == 403
        assert (await asyncio.to_thread(get, url + "/healthz", None, None, "DELETE"))[0] == 405
        assert (await asyncio.to_thread(get, url + "/elsewhere"))[0] == 426

    serve(scenario)


def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The library writes the headers of every request to the log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("quiet", "asyncio"):  # the client's own log, which is not the server's to keep clean
        logging.getLogger(name).setLevel(logging.CRITICAL)

    async def scenario(server: EstimateServer, url: str) -> None:
        quiet = logging.getLogger("quiet")
        async with connect(url, additional_headers=BEARER, logger=quiet) as client:
            await receive(client)
        offered = protocols("overheard.2", f"overheard.token.{TOKEN}")
        for target, names in ((f"{url}/?token={TOKEN}", None), (url, offered)):
            with pytest.raises(InvalidStatus):
                await connect(target, subprotocols=names, logger=quiet)
        await connected(server, 0)

    serve(scenario, token=TOKEN)
    assert "a client connected; there are 1" in caplog.text
    assert "connections refused or ended" in caplog.text
    assert TOKEN not in caplog.text


# ---- TLS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, of this run only."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "server")
    return str(folder / "server.pem"), str(folder / "server.key")


def make_certificate(folder: Path, name: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=overheard test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip


def test_websocket_and_pages_over_tls(certificate: tuple[str, str]) -> None:
    async def scenario(server: EstimateServer, url: str) -> None:
        trusted = ssl.create_default_context(cafile=certificate[0])
        secure = url.replace("ws://", "wss://")
        async with connect(secure, ssl=trusted, additional_headers=BEARER) as client:
            assert (await receive(client))["type"] == "hello"
        assert (await asyncio.to_thread(get, secure + "/healthz", None, trusted))[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(secure, ssl=ssl.create_default_context())
        async with connect(secure, ssl=trusted, additional_headers=BEARER) as client:
            assert (await receive(client))["type"] == "hello"

    serve(scenario, token=TOKEN, tls_certificate=certificate[0], tls_key=certificate[1])


def test_files_that_cannot_be_used_are_named(certificate: tuple[str, str], tmp_path: Path) -> None:
    make_certificate(tmp_path, "other")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:word", "-in", certificate[1], "-out", locked],
        check=True,
        capture_output=True,
    )
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for pair in (
        (str(tmp_path / "none.pem"), certificate[1]),
        (certificate[0], str(tmp_path / "none.key")),
        (certificate[0], str(tmp_path / "other.key")),
        (certificate[0], str(locked)),
        (str(text), certificate[1]),
    ):
        server = EstimateServer([hello()], ServerSettings(tls_certificate=pair[0], tls_key=pair[1]))
        with pytest.raises(ServerError) as refusal:
            asyncio.run(server.start("127.0.0.1", 0))
        said = str(refusal.value)
        assert all(name in said for name in pair)
        assert "name a certificate in PEM and the key that belongs to it" in said
        assert "\n" not in said


def test_offered_protocols_are_read_from_every_header() -> None:
    assert access.offered_protocols(["overheard.1 , a", "", "b,"]) == ("overheard.1", "a", "b")
