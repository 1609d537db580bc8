"""A server that sends single bytes without end cannot exceed the deadline of a request."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest

from models.common.http_deadline import limit_connection
from tests.support.proxies import dripping_server
from tests.support.waiting import at_most

DRIPS = {
    "nothing": (b"", b"\r\n"),
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"y"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n"),
}


def post(connection: http.client.HTTPConnection, content: bytes) -> None:
    with limit_connection(connection, 0.3):
        connection.request("POST", "/", content)
        connection.getresponse().read()


@pytest.mark.parametrize("tunnel", [False, True], ids=["direct", "tunnel"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("kind", DRIPS)
def test_every_step_of_a_request_ends_at_the_deadline(kind: str, tls: bool, tunnel: bool) -> None:
    """Regression: each byte restarted the timeout, and one request took 53 seconds."""
    with dripping_server(*DRIPS[kind]) as port:
        connection = (
            http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context())
            if tls
            else http.client.HTTPConnection("127.0.0.1", port)
        )
        if tunnel:
            connection.set_tunnel("hooks.example", 443)
        with at_most(3), pytest.raises((OSError, http.client.HTTPException)):
            post(connection, b"{}")


def test_a_server_that_accepts_nothing_ends_at_the_deadline() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(TimeoutError):
            post(connection, b"x" * (64 << 20))


def test_a_refused_connection_is_reported_as_such() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connection = http.client.HTTPConnection("localhost", taken.getsockname()[1])
        with limit_connection(connection, 5.0), pytest.raises(ConnectionRefusedError):
            connection.request("GET", "/")
