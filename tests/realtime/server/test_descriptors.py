"""The server within the open files that the system allows."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_here

from realtime.server.descriptors import BACKLOGS, plan_connections
from realtime.server.limits import ServerLimits
from realtime.server.websocket import EstimateServer
from tests.support.audio import tone, write
from tests.support.waiting import wait_until
from tests.support.websocket_client import check_still_serves, http_get, receive, serve

MIN_FREE_FILES = 8


@given(
    free=st.integers(MIN_FREE_FILES, 100_000),
    clients=st.integers(1, 10_000),
    handshakes=st.integers(1, 2_000),
    other=st.integers(0, 500),
)
def test_all_connections_fit_into_the_open_files(
    free: int, clients: int, handshakes: int, other: int
) -> None:
    limits = ServerLimits(handshakes=handshakes, other_files=other)
    plan = plan_connections(other + free, clients, limits)
    assert plan.clients + plan.handshakes + BACKLOGS * plan.backlog <= free
    assert 1 <= plan.clients <= clients
    assert 1 <= plan.handshakes <= handshakes
    assert 1 <= plan.backlog <= handshakes
    if free >= 2 * clients + (1 + 2 * BACKLOGS) * handshakes:
        assert (plan.clients, plan.handshakes, plan.backlog) == (clients, handshakes, handshakes)


def test_without_a_limit_the_settings_hold() -> None:
    plan = plan_connections(None, 64, ServerLimits())
    assert (plan.clients, plan.handshakes) == (64, ServerLimits().handshakes)


@contextmanager
def no_file_left() -> Iterator[None]:
    """Allow this process no further open file until the end of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_without_a_file_are_counted_in_one_line_and_served_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio logged a traceback for each connection of the backlog, again every second."""

    async def scenario(estimates: EstimateServer, url: str) -> None:
        host, port = url.removeprefix("ws://").split(":")
        waiting = [socket.socket() for _ in range(20)]
        refused: list[str] = []
        with no_file_left():
            for each in waiting:
                each.setblocking(False)
                each.connect_ex((host, int(port)))
            async with asyncio.timeout(30):
                while not refused:
                    await asyncio.sleep(0.01)
                    refused = [r.getMessage() for r in caplog.records if "files " in r.getMessage()]
        for each in waiting:
            each.close()
        async with connect(url, open_timeout=30) as client:
            await receive(client)
            await check_still_serves(estimates, client)
        metrics = (await asyncio.to_thread(http_get, url + "/metrics"))[2]
        assert 'reason="files"' in metrics
        assert "Too many open files; raise the limit with ulimit -n" in refused[0]

    serve(scenario)
    assert len(caplog.records) <= 3
    assert not any(record.exc_info for record in caplog.records)


def test_the_analyzer_survives_silent_connections_with_64_open_files(tmp_path: Path) -> None:
    """Silent connections took all files. A late import ended the analysis, or 99,919 lines were logged."""
    file = write(tmp_path / "tone.wav", tone(440, 60, 22_050), 22_050)
    log = tmp_path / "log"
    command = [
        "sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", sys.executable, "-m", "realtime.cli", "listen",
        "--source", str(file), "--port", "0",
    ]  # fmt: skip
    with log.open("w") as errors, subprocess.Popen(command, stderr=errors) as listen:
        try:
            wait_until(lambda: "ws://" in log.read_text())
            port = int(log.read_text().rpartition(":")[2])
            silent = []
            for _ in range(400):
                each = socket.socket()
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
                silent.append(each)
            with connect_here(f"ws://127.0.0.1:{port}", open_timeout=30) as client:
                while json.loads(client.recv(timeout=30))["type"] != "estimate":
                    pass
            assert listen.poll() is None
            for each in silent:
                each.close()
        finally:
            listen.terminate()
        assert listen.wait(timeout=20) == 0
    text = log.read_text()
    assert "the system allows 64 open files, so at most 12 of 64 clients can connect" in text
    assert "Traceback" not in text
    assert len(text.splitlines()) < 20
