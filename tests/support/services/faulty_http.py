"""Real HTTP server of JSON with faults that tests switch on, and a clock that tests move."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERYWHERE = "*"

BODIES = {
    "html": b"<!doctype html><title>Sign in to this network</title>",
    "deep": b'{"items":' + b"[" * 100_000,
    "deep and whole": b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "array": b"[1, 2, 3]",
    "empty": b"",
    "object": b"{}",
    "not utf-8": b'{"items": ["\xff\xfe"]}',
    "wrong types": b'{"items": {"a": 1}, "results": "none"}',
    "odd rows": b'{"items": [null, 3, {"id": 4, "snippet": []}, {"id": {"videoId": ["a"]}}, {}],'
    b' "results": [null, 3, {"kind": "song", "trackName": 5}, {}]}',
    "long number": b'{"items": [], "results": [], "n": ' + b"9" * 5_000 + b"}",
    "huge": b'{"items": [], "results": [], "n": "' + b"x" * (5 << 20) + b'"}',
}
"""Bodies of responses with status 200."""


class MovableClock:
    """Clock that runs in real time from a fixed date. A test can move it forward."""

    def __init__(self, now: datetime = NOON) -> None:
        self._wall = now
        self._began = time.monotonic()
        self._moved = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._moved

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=time.monotonic() - self._began + self._moved)

    def move(self, seconds: float) -> None:
        self._moved += seconds

    def deadline(self, seconds: float = 4.0) -> float:
        return self.monotonic() + seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """Request as the server received it."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    raw: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Response of the server."""

    code: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


class FaultyServer(ThreadingHTTPServer):
    """Server that responds with ``answer`` unless ``faults`` has a fault for the path or for ``EVERYWHERE``.

    A fault is a name in ``BODIES``, a body that begins with ``{``, an HTTP status with or without a body, or
    one of these:

    - ``drip`` and ``header drip`` send single bytes with pauses.
    - ``hang`` sends nothing, ``cut`` closes the connection.
    - ``short`` sends less than the announced length.
    - ``bad gzip`` and ``redirect`` send such a response.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.retry_after = ""
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def paths(self) -> list[str]:
        return [asked.path.rpartition("/")[2] for asked in list(self.asked)]

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: clients that leave early are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, FaultyServer)
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        asked = Asked(parts.path, dict(pairs), dict(self.headers.items()), self.path)
        server.asked.append(asked)
        fault = server.faults.get(parts.path.rpartition("/")[2]) or server.faults.get(EVERYWHERE)
        if fault is None:
            reply = server.answer(asked)
            if len(pairs) != len(asked.params):
                reply = Reply(400, {"error": "a parameter was given twice"}, {})
            self._send(reply.code, json.dumps(reply.body).encode(), reply.headers)
        elif fault in BODIES:
            self._send(200, BODIES[fault], {})
        elif fault.startswith("{"):
            self._send(200, fault.encode(), {})
        elif fault[:3].isdecimal():
            headers = {"Retry-After": server.retry_after} if server.retry_after else {}
            self._send(int(fault[:3]), fault[4:].encode() or b"<html>a fault</html>", headers)
        else:
            self._misbehave(fault, server)

    def _send(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _misbehave(self, fault: str, server: FaultyServer) -> None:
        self.close_connection = True
        if fault == "hang":
            server.closing.wait()
        elif fault == "redirect":
            self._send(302, b"", {"Location": f"{server.url}/elsewhere"})
        elif fault == "bad gzip":
            self._send(200, b"not packed", {"Content-Encoding": "gzip"})
        elif fault == "short":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"items": [')
        elif fault in ("drip", "header drip"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if fault == "drip" else b"X-Slow: "))
            while not server.closing.wait(0.05):
                self.wfile.write(b" ")
        elif fault != "cut":
            raise ValueError(fault)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the base class writes to standard error."""
