"""Queue of a live source, and its capture process."""

from __future__ import annotations

import contextlib
import threading
from collections import deque

import numpy as np
import pytest

from realtime.audio.source import AudioBlock
from realtime.capture import LiveSource
from realtime.capture.live_source import MAX_QUEUED_BLOCKS, Stop
from realtime.capture.subprocess_reader import start_capture_process
from realtime.errors import SourceError
from tests.support.audio import tone
from tests.support.audio_source_contract import RATE, start_idle
from tests.support.clock import VirtualClock


def test_a_full_queue_drops_the_oldest_and_leaves_a_jump() -> None:
    source = LiveSource("fake", RATE, start_idle, VirtualClock())
    for _ in range(MAX_QUEUED_BLOCKS + 10):
        source.deliver(np.zeros(512, np.float32))
    first = next(iter(source.blocks()))
    assert first.position == 10 * 512


def test_received_and_missed_samples_add_up_under_stress() -> None:
    """A producer never waits for its consumer. Every lost sample must be part of a jump of the position."""
    total = 20_000

    def start(source: LiveSource) -> Stop:
        def produce() -> None:
            for _ in range(total):
                source.deliver(np.zeros(1, np.float32))
            source.fail("done")

        threading.Thread(target=produce).start()
        return lambda: None

    source = LiveSource("fake", RATE, start, VirtualClock())
    received = missed = expected = 0
    with contextlib.suppress(SourceError):  # the capture ends with a failure
        for block in source.blocks():
            if len(block.samples):
                missed += block.position - expected
                received += len(block.samples)
                expected = block.position + len(block.samples)
    assert received + missed == expected == total


def test_an_overflow_flag_travels_with_the_block() -> None:
    source = LiveSource("fake", RATE, start_idle, VirtualClock())
    source.deliver(np.zeros((4, 2), np.float32), overflowed=True)
    assert next(iter(source.blocks())).overflowed


def test_the_last_block_is_not_lost_when_the_capture_ends_meanwhile() -> None:
    """A block that arrived together with the end, while the queue was being emptied, was once dropped."""
    source = LiveSource("fake", RATE, start_idle, VirtualClock())
    source.deliver(np.zeros(1, np.float32))
    blocks = source.blocks()
    next(blocks)

    class LateQueue(deque[tuple[int, AudioBlock]]):
        """Queue that is empty at the first look, during which the last block and the end arrive."""

        def __bool__(self) -> bool:
            if not source._failure:
                source._queue = deque()
                source.deliver(np.ones(1, np.float32))
                source.fail("it is over")
                return False
            return len(self) > 0

    source._queue = LateQueue()
    assert next(blocks).samples.tolist() == [1.0]
    with pytest.raises(SourceError, match="it is over"):
        next(blocks)


def test_a_child_that_cannot_start_is_explained() -> None:
    with pytest.raises(SourceError, match=r"cannot start no-such-program: .*; install pulseaudio-utils"):
        LiveSource("x", RATE, start_capture_process(["no-such-program"], 1), VirtualClock())


def test_one_inverted_channel_is_captured() -> None:
    """The mean of such channels is silence."""
    sound = tone(440, 0.1, RATE)
    source = LiveSource("fake", RATE, start_idle, VirtualClock())
    source.deliver(np.stack([sound, -sound], axis=1))
    assert np.array_equal(next(iter(source.blocks())).samples, sound)
