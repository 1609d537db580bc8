"""Ways into a running ``overheard listen``: messages of clients, and requests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from types import TracebackType
from typing import IO, Self

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.fuzzing.inputs import Input
from tests.support.websocket_client import HANDSHAKE

TOKEN = "a-token-of-the-tests"

MAX_LOG_BYTES = 200_000
"""Length of the log of one analyzer. Rejections are logged in bundles."""

MAX_MESSAGES = 5
"""Copies of a message that one client sends."""

WAIT_SECONDS = 30.0

RESPONSE_SECONDS = 0.2
"""Time in which a control that the server accepts is usually answered. A later answer is not looked for."""


class Analyzer:
    """Running analyzer of the demonstration, whose history lies in a new folder. A context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._log: IO[bytes] = tempfile.TemporaryFile()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "realtime.cli", "listen", "--port", "0", "--source", "demo"]
        folder = {"XDG_DATA_HOME": self._folder.name, "XDG_CONFIG_HOME": self._folder.name}
        self._process = subprocess.Popen(
            command, env=os.environ | folder | {"OVERHEARD_TOKEN": TOKEN}, stderr=subprocess.PIPE
        )
        self.process = psutil.Process(self._process.pid)
        self._lines = self._process.stderr
        assert self._lines is not None
        line = b""
        while b"ws://" not in line:
            line = self._lines.readline()
            assert line, "the analyzer ended"
        self._url = "ws://" + line.decode().split("ws://")[1].strip()
        self._port = int(self._url.rpartition(":")[2])
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        self._log.close()
        self._folder.cleanup()

    def _read_log(self) -> None:
        while self._lines is not None and (part := self._lines.read1(65_536)):  # type: ignore[attr-defined]  # a pipe
            self._log.write(part)
        if self._lines is not None:
            self._lines.close()

    def send_message(self, tried: Input) -> str:
        """Send a message as text, as bytes or as a frame of any kind."""
        random = tried.random
        headers = {"Authorization": f"Bearer {TOKEN}"}
        content = tried.content
        if random.random() < 0.15:
            return self._send_frame(bytes([random.randrange(256), random.randrange(256)]) + content)
        try:
            message: str | bytes = content.decode()
        except UnicodeDecodeError:
            message = content
        answered = "silent"
        with connect(self._url, additional_headers=headers, open_timeout=WAIT_SECONDS) as client:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                for _ in range(random.randint(1, MAX_MESSAGES)):
                    client.send(message)
                ends_at = time.monotonic() + RESPONSE_SECONDS
                while answered == "silent":
                    received = json.loads(client.recv(timeout=max(0.0, ends_at - time.monotonic())))
                    if received["type"] == "response":
                        answered = "accepted" if received["ok"] else "refused"
            if client.close_code is not None:
                answered = f"closed with {client.close_code}"
        return self._check(answered)

    def _send_frame(self, frame: bytes) -> str:
        with socket.create_connection(("127.0.0.1", self._port), WAIT_SECONDS) as raw:
            raw.sendall(HANDSHAKE + frame)
            raw.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while raw.recv(65_536):
                    pass
        return self._check("frame")

    def send_request(self, tried: Input) -> str:
        """Send the bytes of a request, and perhaps the end of the connection."""
        status, half = b"", tried.random.random() < 0.2
        with contextlib.suppress(ConnectionError, TimeoutError):
            with socket.create_connection(("127.0.0.1", self._port), WAIT_SECONDS) as raw:
                raw.sendall(tried.content)
                if half:
                    raw.shutdown(socket.SHUT_WR)
                complete = b"\r\n\r\n" in tried.content
                raw.settimeout(WAIT_SECONDS if half else 5 * RESPONSE_SECONDS if complete else 0.01)
                while part := raw.recv(65_536):
                    status = status or part[9:12]
        return self._check(status.decode("latin-1") or "closed")

    def _check(self, outcome: str) -> str:
        """Assert that the analyzer still serves others, and that its log is in order."""
        assert self._process.poll() is None, f"the analyzer ended: {self._read()[-2_000:]}"
        with socket.create_connection(("127.0.0.1", self._port), WAIT_SECONDS) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            health = raw.recv(65_536)
        assert health.startswith(b"HTTP/1.1 200"), health[:200]
        log = self._read()
        assert "Traceback" not in log, log[-4_000:]
        assert "internal error" not in log, log[-4_000:]
        assert len(log) < MAX_LOG_BYTES, log[-2_000:]
        return outcome

    def _read(self) -> str:
        self._log.flush()
        return os.pread(self._log.fileno(), MAX_LOG_BYTES + 1, 0).decode(errors="replace")
