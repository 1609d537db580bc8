"""RTSP streams from a real server."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from realtime.clock import SystemClock
from realtime.network.source import StreamSource
from tests.support.network import make_certificate
from tests.support.stream_servers import rtsp_server
from tests.support.streams import (
    closes_within_a_second,
    join_samples,
    measure_pitch,
    opening_error,
    read_until_failure,
    take_blocks,
)


@pytest.mark.parametrize("path", ["opus", "l16"])
def test_an_rtsp_stream_is_played(path: str) -> None:
    with rtsp_server() as (port, _):
        url = f"rtsp://127.0.0.1:{port}/{path}"
        with closing(StreamSource(url, SystemClock())) as source:
            assert source.name == source.status().device == url
            assert measure_pitch(
                join_samples(take_blocks(source.blocks(), 1)), source.sample_rate
            ) == pytest.approx(440, abs=3)
        assert opening_error(f"rtsp://me:secret@127.0.0.1:{port}/none") == (
            f"rtsp://127.0.0.1:{port}/none does not exist (404)"
        )


def stop(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (subprocess.Popen.kill, ("stopped sending", "cannot be played")),
        (stop, ("stopped sending", "has sent no audio")),
    ],
)
def test_rtsp_that_breaks_off(
    act: Callable[[subprocess.Popen[str]], None], expected: tuple[str, str]
) -> None:
    with rtsp_server() as (port, server):
        url = f"rtsp://127.0.0.1:{port}/opus"
        with closing(StreamSource(url, SystemClock(), silence_timeout_seconds=1.5)) as source:
            blocks = source.blocks()
            take_blocks(blocks, 0.3)
            act(server)
            message = read_until_failure(blocks, 8)
            assert url in message
            assert any(each in message for each in expected), message


def test_closing_ends_rtsp_that_hangs() -> None:
    with rtsp_server() as (port, server):
        source = StreamSource(f"rtsp://127.0.0.1:{port}/opus", SystemClock(), silence_timeout_seconds=2)
        stop(server)
        with closes_within_a_second(source):
            threading.Event().wait(0.3)


def test_rtsps_checks_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    with rtsp_server(certificate) as (port, _):
        url = f"rtsps://127.0.0.1:{port}/opus"
        assert opening_error(url).endswith("does this machine trust its certificate?")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        with closing(StreamSource(url, SystemClock())) as source:
            assert measure_pitch(
                join_samples(take_blocks(source.blocks(), 0.5)), source.sample_rate
            ) == pytest.approx(440, abs=4)
