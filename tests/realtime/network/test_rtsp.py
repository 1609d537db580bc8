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
from tests.support.stream_servers import certificate, rtsp
from tests.support.streams import ends_within_a_second, failure, joined, pitch, refusal, taken


@pytest.mark.parametrize("path", ["opus", "l16"])
def test_rtsp(path: str) -> None:
    with rtsp() as (port, _):
        url = f"rtsp://127.0.0.1:{port}/{path}"
        with closing(StreamSource(url, SystemClock())) as source:
            assert source.name == source.status().device == url
            assert pitch(joined(taken(source.blocks(), 1)), source.sample_rate) == pytest.approx(440, abs=3)
        assert refusal(f"rtsp://me:secret@127.0.0.1:{port}/none") == (
            f"rtsp://127.0.0.1:{port}/none does not exist (404)"
        )


def stopped(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (subprocess.Popen.kill, ("stopped sending", "cannot be played")),
        (stopped, ("stopped sending", "has sent no audio")),
    ],
)
def test_rtsp_that_breaks_off(act: Callable[[subprocess.Popen[str]], None], said: tuple[str, str]) -> None:
    with rtsp() as (port, server):
        url = f"rtsp://127.0.0.1:{port}/opus"
        with closing(StreamSource(url, SystemClock(), silence_timeout_seconds=1.5)) as source:
            blocks = source.blocks()
            taken(blocks, 0.3)
            act(server)
            sentence = failure(blocks, 8)
            assert url in sentence
            assert any(words in sentence for words in said), sentence


def test_closing_ends_rtsp_that_hangs() -> None:
    with rtsp() as (port, server):
        source = StreamSource(f"rtsp://127.0.0.1:{port}/opus", SystemClock(), silence_timeout_seconds=2)
        stopped(server)
        with ends_within_a_second(source):
            threading.Event().wait(0.3)


def test_rtsps_checks_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rtsp(certificate(tmp_path)) as (port, _):
        url = f"rtsps://127.0.0.1:{port}/opus"
        assert refusal(url).endswith("does this machine trust its certificate?")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with closing(StreamSource(url, SystemClock())) as source:
            assert pitch(joined(taken(source.blocks(), 0.5)), source.sample_rate) == pytest.approx(440, abs=4)
