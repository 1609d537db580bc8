"""Helpers for network streams: received audio, failures and refusals."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from realtime.audio.source import AudioBlock
from realtime.errors import SourceError
from realtime.network.source import StreamSource
from tests.support.audio import Samples
from tests.support.clock import VirtualClock

RATE = 44_100


def take_blocks(blocks: Iterator[AudioBlock], seconds: float) -> list[AudioBlock]:
    """Blocks until there are so many seconds of sound, at most ten times as long in real time."""
    got: list[AudioBlock] = []
    end = time.monotonic() + 10 * seconds + 5
    for block in blocks:
        got.append(block)
        if sum(len(b.samples) for b in got) >= seconds * block.sample_rate:
            break
        assert time.monotonic() < end
    return got


def join_samples(blocks: list[AudioBlock]) -> Samples:
    return np.concatenate([block.samples for block in blocks])


def measure_pitch(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


def read_until_failure(blocks: Iterator[AudioBlock], within_seconds: float) -> str:
    """The sentence with which a stream breaks off, which has to come within this time."""
    end = time.monotonic() + within_seconds
    in_time = itertools.takewhile(lambda _: time.monotonic() < end, blocks)
    with pytest.raises(SourceError) as caught:
        deque(in_time, maxlen=0)
    return str(caught.value)


def opening_error(url: str, **seconds: float) -> str:
    """The sentence with which opening fails; no secret may be in it."""
    with pytest.raises(SourceError) as caught:
        StreamSource(url, VirtualClock(), **seconds)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@contextmanager
def closes_within_a_second(source: StreamSource) -> Iterator[None]:
    """Begins to read on another thread; what reads there ends soon after the source is closed."""
    reader = threading.Thread(target=lambda: list(source.blocks()), daemon=True)
    reader.start()
    try:
        yield
    finally:
        began = time.monotonic()
        source.close()
        reader.join(timeout=5)
    assert not reader.is_alive()
    assert time.monotonic() - began < 1
