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
from tests.support.waiting import at_most

RATE = 44_100


def take_blocks(blocks: Iterator[AudioBlock], seconds: float) -> list[AudioBlock]:
    """Return blocks with at least so many seconds of audio, within ten times as long plus 5 s."""
    taken: list[AudioBlock] = []
    end = time.monotonic() + 10 * seconds + 5
    for block in blocks:
        taken.append(block)
        if sum(len(b.samples) for b in taken) >= seconds * block.sample_rate:
            break
        assert time.monotonic() < end, "the stream is too slow"
    return taken


def join_samples(blocks: list[AudioBlock]) -> Samples:
    return np.concatenate([block.samples for block in blocks])


def measure_pitch(samples: Samples, rate: int) -> float:
    """Return the frequency of the strongest component in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


def read_until_failure(blocks: Iterator[AudioBlock], within_seconds: float) -> str:
    """Read a stream until it fails, which must happen within this time, and return the error message."""
    end = time.monotonic() + within_seconds
    in_time = itertools.takewhile(lambda _: time.monotonic() < end, blocks)
    with pytest.raises(SourceError) as caught:
        deque(in_time, maxlen=0)
    return str(caught.value)


def opening_error(url: str, **seconds: float) -> str:
    """Return the error message of a stream that cannot be opened. The message must not show a secret."""
    seconds = {"open_timeout_seconds": 60.0} | seconds  # a busy machine starts the decoder slowly
    with pytest.raises(SourceError) as caught:
        StreamSource(url, VirtualClock(), **seconds)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@contextmanager
def closes_within_a_second(source: StreamSource) -> Iterator[None]:
    """Read on another thread during the block. Closing the source must end the reading within a second."""
    reader = threading.Thread(target=lambda: list(source.blocks()), daemon=True)
    reader.start()
    try:
        yield
    finally:
        with at_most(1):
            source.close()
            reader.join(timeout=60)
    assert not reader.is_alive(), "the reading thread did not end"
