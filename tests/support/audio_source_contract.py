"""Contract of ``AudioSource``: checks that every implementation has to pass."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.source import AudioBlock, AudioSource
from realtime.capture import LiveSource
from realtime.capture.live_source import Stop
from realtime.errors import SourceError
from tests.support.audio import tone
from tests.support.waiting import at_most

RATE = 44_100
SOUND = tone(440, 1.0, RATE)
HALF = len(SOUND) // 2
LOST = 4_410
"""Samples missing after the first ``HALF`` in the case of a loss."""

PATIENCE_SECONDS = 10.0

Opener = Callable[[Path, ExitStack], AudioSource]
"""Opens a source. The stack closes whatever the source needs, such as a server."""


@dataclass(frozen=True, slots=True)
class SourceCase:
    """Implementation of ``AudioSource``, and how to open it in each situation of the contract.

    Attributes
    ----------
    whole : Opener
        Plays ``SOUND``, and then ends if ``ends``.
    endless : Opener
        Never ends: it continues to play, or becomes silent after some sound.
    failing : Opener, optional
        Plays at least the first half of ``SOUND``, and then fails with the pattern ``failure``. None if
        sources of this kind cannot fail.
    losing : Opener, optional
        Plays ``SOUND`` without the ``LOST`` samples after the first half. None if sources of this kind
        cannot lose samples.
    """

    name: str
    is_live: bool
    ends: bool
    whole: Opener
    endless: Opener
    failing: Opener | None = None
    failure: str = ""
    losing: Opener | None = None


def start_idle(source: LiveSource) -> Stop:
    return lambda: None


def take_blocks(source: AudioSource, samples: int) -> list[AudioBlock]:
    """Read blocks until they have ``samples`` samples. Each is checked, also against those before it."""
    blocks: list[AudioBlock] = []
    copies = []
    received = end = 0
    captured_at = -np.inf
    for block in source.blocks():
        assert block.sample_rate == source.sample_rate
        assert block.samples.dtype == np.float32
        assert block.samples.ndim == 1
        assert not block.samples.flags.writeable
        assert np.abs(block.samples).max(initial=0) <= 1
        assert block.position >= end, "a position is below the end of the block before it"
        assert block.captured_at >= captured_at
        end, captured_at = block.position + len(block.samples), block.captured_at
        blocks.append(block)
        copies.append(block.samples.copy())
        received += len(block.samples)
        if received >= samples:
            break
    assert all(np.array_equal(b.samples, copy) for b, copy in zip(blocks, copies, strict=True)), (
        "the samples of a block changed after it was yielded"
    )
    return blocks


def check_sound(case: SourceCase, source: AudioSource) -> None:
    """Check the properties, and that all of the sound arrives without a jump and then ends."""
    with closing(source):
        assert source.name
        assert source.status().device
        assert (source.sample_rate, source.is_live) == (RATE, case.is_live)
        blocks = take_blocks(source, len(SOUND) + 1 if case.ends else len(SOUND))
    received = np.concatenate([block.samples for block in blocks])
    assert np.abs(received - SOUND).max() < 1e-4
    assert blocks[-1].position + len(blocks[-1].samples) == len(SOUND)
    source.close()


def check_close(source: AudioSource) -> None:
    """Check that ``close`` on another thread ends ``blocks`` within a second, whether it waits or yields."""
    begun = threading.Event()
    faults: list[BaseException] = []

    def read() -> None:
        try:
            for _ in source.blocks():
                begun.set()
                time.sleep(0.005)
        except BaseException as fault:
            faults.append(fault)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(PATIENCE_SECONDS)
    assert source.status().device, "status() names no device on another thread"
    time.sleep(0.1)
    assert reader.is_alive(), faults
    with at_most(1):
        source.close()
        reader.join(PATIENCE_SECONDS)
    assert faults == []
    source.close()
    assert source.status().device


def check_stall(source: AudioSource) -> None:
    """Check that a silent live source yields an empty block at its position, and none after ``close``."""
    blocks = source.blocks()
    end = 0
    with closing(source):
        while True:
            with at_most(2):
                block = next(blocks)
            if not len(block.samples):
                break
            end = block.position + len(block.samples)
        assert block.position == end
    assert list(blocks) == []


def check_failure(case: SourceCase, source: AudioSource) -> None:
    """Check that a failure comes after the received audio, and states the reason in one line."""
    received: list[int] = []
    with closing(source), pytest.raises(SourceError, match=case.failure) as caught:
        received.extend(len(block.samples) for block in source.blocks())
    assert "\n" not in str(caught.value)
    assert sum(received) >= HALF - RATE // 10


def check_loss(source: AudioSource) -> None:
    """Check that the position jumps by the number of lost samples."""
    with closing(source):
        blocks = [block for block in take_blocks(source, len(SOUND)) if len(block.samples)]
    (jump,) = (
        (later.position, later.position - one.position - len(one.samples))
        for one, later in itertools.pairwise(blocks)
        if later.position != one.position + len(one.samples)
    )
    assert jump == (HALF + LOST, LOST)
