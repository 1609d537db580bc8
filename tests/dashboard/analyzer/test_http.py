"""HTTP requests and controls, sent to servers that follow the protocol and to servers that do not."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.analyzer.http import AnalyzerError, Fault, fetch_json, new_control_id, send_control
from realtime.protocol.codes import ResponseCode
from realtime.protocol.requests import CorrectLabel, DeleteHistory
from tests.support.analyzer_server import FakeAnalyzer
from tests.support.history_server import TOKEN, HistoryServer, evening
from tests.support.network import make_certificate
from tests.support.waiting import at_most

SHORT_SECONDS = 0.5
DELETE = DeleteHistory(id="1")


@pytest.fixture
def analyzer() -> Iterator[HistoryServer]:
    with HistoryServer([evening(7, 0.1, 12, ended=1_000_000.0)]) as server:
        yield server


def raised_error(function: Callable[[], object]) -> AnalyzerError:
    with pytest.raises(AnalyzerError) as caught:
        function()
    return caught.value


@contextmanager
def serve_once(
    respond: Callable[[socket.socket], None], requests: list[bytes] | None = None
) -> Iterator[str]:
    """Yield the address of a server that reads one request into ``requests`` and then calls ``respond``."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        peer, _ = listener.accept()
        with peer:
            request = peer.recv(65_536)
            if requests is not None:
                requests.append(request)
            try:
                respond(peer)
            except OSError:
                pass  # the client closed the connection

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(10)
    listener.close()


def send_all(body: bytes, status: str = "200 OK", more: bytes = b"") -> Callable[[socket.socket], None]:
    """Return a function that sends a complete response. ``more`` is further lines of the header."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
    return lambda peer: peer.sendall(head + more + b"\r\n" + body)


def test_sessions_and_one_session_are_read_with_the_token_as_a_header(analyzer: HistoryServer) -> None:
    found = fetch_json(analyzer.url, TOKEN, "/history")
    assert [each["id"] for each in found["sessions"]] == [7]
    assert fetch_json(analyzer.url, TOKEN, "/history/7")["segments"] == analyzer.sessions[0]["segments"]
    assert analyzer.authorizations == [f"Bearer {TOKEN}"] * 2


def test_a_folder_before_the_websocket_is_kept() -> None:
    """A reverse proxy may serve the analyzer and its pages below a folder."""
    requests: list[bytes] = []
    with serve_once(send_all(b'{"a": 1}'), requests) as url:
        assert fetch_json(f"{url}/analyzer/", "", "/history") == {"a": 1}
    assert requests[0].startswith(b"GET /analyzer/history HTTP/1.1\r\n")
    assert b"Authorization" not in requests[0]


def test_a_missing_and_a_wrong_token_are_different_faults(analyzer: HistoryServer) -> None:
    missing = raised_error(lambda: fetch_json(analyzer.url, "", "/history"))
    wrong = raised_error(lambda: fetch_json(analyzer.url, "another-token-than-that", "/history"))
    assert (missing.fault, wrong.fault) == (Fault.NO_TOKEN, Fault.REFUSED)
    assert missing.detail == "this page requires the token; send the header"
    assert raised_error(lambda: send_control(analyzer.url, "", DELETE)).fault is Fault.NO_TOKEN
    assert raised_error(lambda: send_control(analyzer.url, "wrong", DELETE)).fault is Fault.REFUSED
    assert analyzer.controls == []


def test_a_deleted_session_is_gone(analyzer: HistoryServer) -> None:
    error = raised_error(lambda: fetch_json(analyzer.url, TOKEN, "/history/8"))
    assert (error.fault, error.status) == (Fault.GONE, 404)
    assert error.detail == "no session 8; it may have been forgotten"


def test_an_analyzer_without_the_page_is_unsupported() -> None:
    with FakeAnalyzer() as old:  # takes the request for a websocket handshake, as old analyzers do
        assert raised_error(lambda: fetch_json(old.url, TOKEN, "/history")).fault is Fault.UNSUPPORTED


def test_an_analyzer_that_does_not_run_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"ws://127.0.0.1:{probe.getsockname()[1]}"
    assert raised_error(lambda: fetch_json(url, TOKEN, "/history")).fault is Fault.UNREACHABLE
    assert raised_error(lambda: send_control(url, TOKEN, DELETE)).fault is Fault.UNREACHABLE


def test_the_deadline_also_ends_a_response_that_comes_byte_by_byte() -> None:
    """A server that sends a byte now and then never triggers a socket's own timeout."""

    def trickle(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            peer.sendall(b" ")
            time.sleep(0.05)

    with at_most(4 * SHORT_SECONDS), serve_once(trickle) as url:
        assert raised_error(lambda: fetch_json(url, TOKEN, "/history", SHORT_SECONDS)).fault is Fault.TIMEOUT


def test_an_incomplete_response_is_an_error() -> None:
    with serve_once(
        lambda peer: peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a": 1}')
    ) as url:
        assert raised_error(lambda: fetch_json(url, TOKEN, "/history")).fault is Fault.UNREACHABLE


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{}", b'{"a": NaN}', b'{"a": 1e999}', b'{"a":' + b"[" * 100_000, b"\xff"]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with serve_once(send_all(body)) as url:
        assert raised_error(lambda: fetch_json(url, TOKEN, "/history")).fault is Fault.BROKEN


def test_a_response_has_a_maximum_size() -> None:
    for size, wanted in ((100, None), (101, Fault.BROKEN)):
        body = b'{"a": "' + b"x" * (size - 9) + b'"}'
        with serve_once(send_all(body)) as url:
            if wanted is None:
                assert len(fetch_json(url, TOKEN, "/history", max_bytes=100)["a"]) == size - 9
            else:
                fault = raised_error(lambda url=url: fetch_json(url, TOKEN, "/history", max_bytes=100))  # type: ignore[misc]
                assert fault.fault is wanted


def test_a_redirect_is_not_followed_with_the_token(analyzer: HistoryServer) -> None:
    place = f"Location: http://127.0.0.1:{analyzer.port}/history\r\n".encode()
    with serve_once(send_all(b"", "302 Found", place)) as url:
        assert raised_error(lambda: fetch_json(url, TOKEN, "/history")).fault is Fault.INTERNAL
    assert analyzer.authorizations == []


def test_an_internal_error_of_the_analyzer_is_reported_in_its_words_and_in_one_line() -> None:
    body = b'{"error": "the history cannot be read:\\n\\u202edisk full"}'
    with serve_once(send_all(body, "503 Service Unavailable")) as url:
        error = raised_error(lambda: fetch_json(url, TOKEN, "/history"))
    assert (error.fault, error.status) == (Fault.INTERNAL, 503)
    assert error.detail == "the history cannot be read: disk full (HTTP 503)"


def test_a_self_signed_certificate_is_rejected_unless_it_is_trusted_explicitly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key)
    with HistoryServer([evening(7, 0.1, 12)], tls=context) as server:
        assert server.url.startswith("wss:")
        assert raised_error(lambda: fetch_json(server.url, TOKEN, "/history")).fault is Fault.CERTIFICATE
        assert raised_error(lambda: send_control(server.url, TOKEN, DELETE)).fault is Fault.CERTIFICATE
        assert server.authorizations == [], "the token was sent to a server that is not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        assert fetch_json(server.url, TOKEN, "/history")["sessions"][0]["id"] == 7
        assert send_control(server.url, TOKEN, DELETE).detail == "the whole history is deleted"


def correction(segment: int) -> CorrectLabel:
    return CorrectLabel(id=new_control_id(), session=7, segment=segment, genre="jazz")


def test_a_correction_gets_the_response_to_its_own_control(analyzer: HistoryServer) -> None:
    code, detail = send_control(analyzer.url, TOKEN, correction(2))
    assert detail == "session 7, segment 2 is jazz now; its audio is saved"
    assert code is ResponseCode.LABEL_SAVED_WITH_AUDIO
    assert analyzer.sessions[0]["segments"][1]["correction"] == "jazz"
    (sent,) = analyzer.controls
    assert set(sent) == {"type", "id", "action", "session", "segment", "genre"}
    assert 1 <= len(sent["id"]) <= 40
    error = raised_error(lambda: send_control(analyzer.url, TOKEN, correction(99)))
    assert (error.fault, error.detail) == (Fault.DENIED, "session 7 has no segment 99")


def test_a_control_without_a_response_ends_in_time() -> None:
    with at_most(SHORT_SECONDS + 3), FakeAnalyzer() as silent:
        fault = raised_error(
            lambda: send_control(silent.url, TOKEN, DELETE, deadline_seconds=SHORT_SECONDS)
        ).fault
        assert fault is Fault.TIMEOUT


def test_the_token_is_in_no_log(analyzer: HistoryServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fetch_json(analyzer.url, TOKEN, "/history")
    send_control(analyzer.url, TOKEN, DELETE)
    fake_server = "websockets.server"
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith(fake_server)]
    assert all(TOKEN not in line for line in lines)
