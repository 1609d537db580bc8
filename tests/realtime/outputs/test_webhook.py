"""Genre changes posted to real web servers: rejections, timeouts and outages."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from realtime.clock import SystemClock
from realtime.outputs.limits import MAX_QUEUED_MESSAGES
from realtime.outputs.notifier import GenreNotifier
from realtime.outputs.webhook import (
    MAX_REJECTIONS,
    DeliveryResult,
    WebhookSender,
    classify_status,
    parse_pause,
)
from tests.support.histories import estimate, state
from tests.support.outputs import QUOTED_SECRET, notifier_factory
from tests.support.protocol import Json
from tests.support.proxies import RecordedProxy, dripping_server, recording_proxy
from tests.support.waiting import at_most, wait_until


class Answers(ThreadingHTTPServer):
    """Web server that sends the given responses, then always 200, and records requests and their times."""

    daemon_threads = True

    def __init__(self, *script: tuple[int, dict[str, str]] | None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = list(script)
        self.got: list[tuple[float, Json]] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=geheim"

    def states(self) -> list[Any]:
        return [message["state"] for _, message in list(self.got)]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Answers)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        server.headers.append(dict(self.headers.items()))
        server.got.append((time.monotonic(), json.loads(content)))
        answer = server.script.pop(0) if server.script else (200, {})
        if answer is None:  # no response
            server.closing.wait()
            return
        self.send_response(answer[0])
        for name, value in {"Content-Length": "0", **answer[1]}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Do nothing. The base class writes to standard error."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Answers]]:
    servers: list[Answers] = []

    def start(*script: tuple[int, dict[str, str]] | None, port: int = 0) -> Answers:
        servers.append(Answers(*script, port=port))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.closing.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def start() -> Iterator[Callable[..., GenreNotifier]]:
    with notifier_factory() as begin:
        yield begin


def test_a_change_is_posted(serve: Callable[..., Answers], start: Callable[..., GenreNotifier]) -> None:
    server = serve()
    outputs = start(webhook=server.address)
    outputs.consume(estimate(5, source="caf\udce9"))
    outputs.consume(estimate(5.5, source="caf\udce9"))
    wait_until(lambda: len(server.got) == 1)
    assert server.got[0][1] == {
        "type": "genre", "source": "caf\udce9", "genre": "jazz", "previous": None, "confidence": 0.8,
        "state": "LISTENING", "at": 1_005.0,
    }  # fmt: skip
    assert server.headers[0]["Content-Type"] == "application/json"
    outputs.consume(state(6, "ENDED"))
    outputs.close()  # sends the queue
    assert server.states() == ["LISTENING", "ENDED"]
    assert outputs.dropped == 0


def test_server_errors_are_retried_and_the_order_is_kept(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve((500, {}), (500, {}))
    outputs = start(webhook=server.address, retry_seconds=0.2)
    outputs.consume(estimate(5))
    outputs.consume(state(6, "STALLED"))
    wait_until(lambda: len(server.got) == 4)
    assert server.states() == ["LISTENING"] * 3 + ["STALLED"]
    first, second, third, _ = [at for at, _ in server.got]
    assert second - first >= 0.1  # at least half of 0.2
    assert third - second >= 0.2  # at least half of 0.4
    wait_until(lambda: len(caplog.messages) == 2)
    host = f"the webhook at {server.address.split('/')[2]}"
    assert caplog.messages == [
        f"cannot send genre changes to {host}: the server responded 500; retrying",
        f"genre changes reach {host} again; dropped messages: 0",
    ]
    assert outputs.dropped == 0


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honored(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier], status: int
) -> None:
    server = serve((status, {"Retry-After": "1"}))
    start(webhook=server.address).consume(estimate(5))
    wait_until(lambda: len(server.got) == 2)
    assert server.got[1][0] - server.got[0][0] >= 1.0


@pytest.mark.parametrize("status", [404, 302])
def test_a_rejection_is_not_repeated_and_a_redirect_not_followed(
    serve: Callable[..., Answers],
    start: Callable[..., GenreNotifier],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve((status, {"Location": "/elsewhere"}))
    outputs = start(webhook=server.address)
    outputs.consume(estimate(5))
    outputs.consume(estimate(6, "rock"))
    wait_until(lambda: len(server.got) == 2)
    assert [message["genre"] for _, message in server.got] == ["jazz", "rock"]
    assert outputs.dropped == 1
    assert f"the server responded {status}; check the address" in caplog.text
    assert "geheim" not in caplog.text


def test_a_message_is_dropped_after_too_many_server_errors(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier]
) -> None:
    server = serve(*[(500, {})] * MAX_REJECTIONS)
    outputs = start(webhook=server.address, retry_seconds=0.001)
    outputs.consume(estimate(5))
    outputs.consume(estimate(6, "rock"))
    wait_until(lambda: len(server.got) == MAX_REJECTIONS + 1)
    assert server.got[-1][1]["genre"] == "rock"
    assert outputs.dropped == 1


def test_a_server_that_never_responds_delays_nothing(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier]
) -> None:
    server = serve(None)
    outputs = start(webhook=server.address)
    outputs.consume(estimate(5))
    wait_until(lambda: len(server.got) == 1)
    with at_most(0.5):
        for n in range(300):
            outputs.consume(estimate(6 + n / 2, ("jazz", "rock")[n % 2]))
    assert outputs.dropped == 299 - MAX_QUEUED_MESSAGES  # the first message does not change the genre
    outputs.close()  # within two seconds, which the fixture checks
    assert len(server.got) == 1


def test_the_newest_messages_are_kept_while_the_server_is_unreachable(serve: Callable[..., Answers]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening, so connections are refused
        port = taken.getsockname()[1]
        failed = threading.Event()

        def report(reason: str, dropped: int) -> None:
            if "refused" in reason:
                failed.set()

        webhook = WebhookSender(f"http://127.0.0.1:{port}/", SystemClock(), 0.02, report)
        webhook.start()
        for n in range(150):
            webhook.put(json.dumps({"state": n}).encode())
        assert failed.wait(10)
    server = serve(port=port)
    wait_until(lambda: 149 in server.states())
    webhook.stop(1)
    webhook.join(2)
    assert server.states() == list(range(50, 150))
    assert webhook.dropped == 50


def test_user_and_password_of_an_address_are_sent_and_not_logged(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve((403, {}))
    start(webhook=server.address.replace("//", f"//me:{QUOTED_SECRET}@")).consume(estimate(5))
    wait_until(lambda: "responded 403" in caplog.text)
    assert server.headers[0]["Authorization"] == "Basic bWU6Z2VoZWltLXBAc3Mvd29yZA=="
    assert "geheim" not in caplog.text


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedProxy]:
    """Proxy for all addresses, whose address has a password."""
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with recording_proxy() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://me:geheim@127.0.0.1:{proxy.port}")
        yield proxy


def test_a_webhook_of_this_machine_uses_no_proxy(
    serve: Callable[..., Answers], start: Callable[..., GenreNotifier], proxied: RecordedProxy
) -> None:
    """Regression: the proxy received the content and the password."""
    server = serve()
    address = server.address.replace("127.0.0.1", f"me:{QUOTED_SECRET}@localhost")
    start(webhook=address).consume(estimate(5))
    wait_until(lambda: len(server.got) == 1)
    assert proxied.requests == []


def test_a_proxy_gets_no_credentials_of_its_own(
    start: Callable[..., GenreNotifier], proxied: RecordedProxy
) -> None:
    start(webhook="http://192.0.2.1:99/ä?c=d|e").consume(estimate(5))
    wait_until(lambda: len(proxied.requests) == 1)
    line, headers, content = proxied.requests[0]
    assert line == "POST http://192.0.2.1:99/%C3%A4?c=d%7Ce"
    assert headers["Host"] == "192.0.2.1:99"
    assert "Proxy-Authorization" not in headers
    assert "Authorization" not in headers
    assert json.loads(content)["genre"] == "jazz"


@pytest.mark.parametrize(
    ("scheme", "status", "message"),
    [
        ("http", 407, "asks for a password, which is not sent; the variable NO_PROXY avoids the proxy"),
        ("https", 407, "asks for a password, which is not sent; the variable NO_PROXY avoids the proxy"),
        ("https", 502, "does not connect to the server (502); retrying"),
    ],
)
def test_the_proxy_is_named_without_its_password(
    scheme: str,
    status: int,
    message: str,
    start: Callable[..., GenreNotifier],
    proxied: RecordedProxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with recording_proxy(status) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:geheim@127.0.0.1:{proxy.port}")
        start(webhook=f"{scheme}://me:geheim@192.0.2.1/geheim").consume(estimate(5))
        wait_until(lambda: "cannot send" in caplog.text)
    assert f"192.0.2.1: the proxy 127.0.0.1:{proxy.port} {message}" in caplog.text
    assert "geheim" not in caplog.text
    if scheme == "https":
        assert all(line == "CONNECT 192.0.2.1:443" for line, _, _ in proxy.requests)
        assert not any("uthorization" in name for _, headers, _ in proxy.requests for name in headers)


def test_a_proxy_that_is_not_running_is_named(
    start: Callable[..., GenreNotifier], proxied: RecordedProxy, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening, so connections are refused
        port = taken.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        start(webhook="http://192.0.2.1/").consume(estimate(5))
        wait_until(lambda: "cannot send" in caplog.text)
    assert f"the proxy 127.0.0.1:{port}: Connection refused; retrying" in caplog.text


def test_a_server_that_drips_headers_holds_the_queue_for_one_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: each byte restarted the timeout, and one message held the queue for 53 seconds."""
    monkeypatch.setattr("realtime.outputs.webhook.RESPONSE_TIMEOUT_SECONDS", 0.3)
    reasons: list[str] = []
    with dripping_server(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n") as port:
        webhook = WebhookSender(
            f"http://127.0.0.1:{port}/", SystemClock(), 0.01, lambda reason, _: reasons.append(reason)
        )
        webhook.start()
        webhook.put(b"{}")
        wait_until(lambda: len(reasons) >= 2)
        webhook.stop(0.1)
        webhook.join(5)
        assert not webhook.is_alive()
    assert reasons[0] == "the server did not respond within 0.3 s; retrying"


def test_retry_after_counts_for_some_statuses_and_is_limited_to_an_hour() -> None:
    assert parse_pause(429, "7", 0.0) == 7
    assert parse_pause(503, "Thu, 01 Jan 1970 00:01:40 GMT", 40.0) == 60
    assert parse_pause(503, "Thu, 01 Jan 1970 00:00:10 GMT", 40.0) == 0
    assert parse_pause(503, "1000000", 0.0) == parse_pause(429, "9" * 30, 0.0) == 3_600
    assert [parse_pause(503, text, 0.0) for text in (None, "soon", "-1", "1e9")] == [None] * 4
    assert parse_pause(500, "7", 0.0) is None


def test_statuses_are_classified() -> None:
    meaning = {
        status: classify_status(status) for status in (200, 204, 301, 400, 404, 408, 410, 429, 500, 503)
    }
    assert [status for status, each in meaning.items() if each is DeliveryResult.DELIVERED] == [200, 204]
    assert [status for status, each in meaning.items() if each is DeliveryResult.RETRY] == [
        408,
        429,
        500,
        503,
    ]
