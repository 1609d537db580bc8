"""The page as ``overheard dashboard`` serves it, and requests with forged headers."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.request import urlopen

from tests.support.network import free_port
from tests.support.paths import ROOT

HEALTH = "/_stcore/health"
WEBSOCKET = "/_stcore/stream"
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip


@contextlib.contextmanager
def page_server(
    *options: str,
    host: str = "127.0.0.1",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[int]:
    """Run ``overheard dashboard`` in a working folder, and yield its port as soon as it answers."""
    port = free_port()
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", "dashboard", "--host", host, "--port", str(port), *options],
        env=os.environ | {"PYTHONPATH": paths} | dict(environment or {}),
        cwd=folder,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=10):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def request(
    port: int,
    path: str = "/",
    headers: Mapping[str, str | Sequence[str]] | None = None,
    method: str = "GET",
    body: bytes = b"",
) -> tuple[int, dict[str, str], str]:
    """Send a request whose headers are exactly the given ones, and return status, headers and body.

    Without a ``Host`` among the headers, the request has the usual one.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": f"127.0.0.1:{port}"} | dict(headers or {})
        for name, values in given.items():
            for value in [values] if isinstance(values, str) else values:
                connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = b"" if response.status == 101 else response.read()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content.decode()
