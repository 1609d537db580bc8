"""What the tests of the history share: messages as the analysis gives them, and the file they end up in."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from realtime import messages
from realtime.health import Percentiles, PipelineHealth, SourceStatus
from realtime.history import Recorder
from realtime.history_file import Store
from realtime.messages import Message
from tests.fakes.clock import VirtualClock

ROOT = Path(__file__).parent.parent
WINDOW, HOP = 5.0, 0.5


def estimate(
    at: float,
    genre: str | None = "jazz",
    state: str = "LISTENING",
    confidence: float = 0.8,
    source: str = "radio",
    leading: str | None = None,
) -> Message:
    """An estimate at ``at`` seconds of the stream, which began at Unix second 1000."""
    label = leading or genre
    probabilities = {} if genre is None else {genre: confidence}
    if leading:
        probabilities[leading] = 0.9
    return messages.envelope("estimate", source, 1_000 + at) | {
        "start_seconds": at - WINDOW,
        "end_seconds": at,
        "level_dbfs": -20.0,
        "has_gap": False,
        "inference_ms": 7.0,
        "latency_ms": 20.0,
        "estimate": {
            "label": label,
            "stable_label": genre,
            "confidence": max(probabilities.values(), default=0.0),
            "probabilities": probabilities,
            "state": state,
        },
    }


def state(at: float, name: str, detail: str = "", source: str = "radio") -> Message:
    return messages.envelope("state", source, 1_000 + at) | {"state": name, "detail": detail}


def health(at: float, gaps: int = 0, lost: int = 0, device: str = "", source: str = "radio") -> Message:
    pipeline = PipelineHealth(9, lost, gaps, 9, 0, 0, 20.0, Percentiles(1, 2, 3))
    return messages.health_message(source, 1_000 + at, pipeline, SourceStatus(device=device), 0)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process does."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.02)


@contextmanager
def recording(path: Path) -> Iterator[Recorder]:
    """What the thread drives, driven by the test in virtual time."""
    found = Recorder(Store(path, "net", "1.2", busy_seconds=0.05), VirtualClock())
    yield found
    found.close()


def clock_of(recorder: Recorder) -> VirtualClock:
    assert isinstance(recorder._clock, VirtualClock)
    return recorder._clock


CHILD = """
import json, os, sys, threading
from pathlib import Path
from realtime.clock import SystemClock
from realtime.history import History
from tests.histories import estimate, state, until
"""


def child(script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def damage_the_header(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1_000)


def damage_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4_096:] = b"\xa5" * (len(content) - 4_096)
    path.write_bytes(content)
