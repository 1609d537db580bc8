"""Late and missing audio, detected by the arrival times of blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from realtime.capture import LiveSource
from tests.support.audio_source_contract import RATE, start_idle
from tests.support.clock import VirtualClock


def test_a_device_that_pauses_for_long_leaves_a_jump() -> None:
    """Sound missed while a machine sleeps is missing; it must not be spliced unmarked."""
    clock = VirtualClock()
    source = LiveSource("fake", RATE, start_idle, clock)
    for moment in (100.0, 101.0, 131.0, 132.0):
        clock.now = moment
        source.deliver(np.zeros(RATE, np.float32))
    blocks = list(itertools.islice(source.blocks(), 4))
    assert [block.position / RATE for block in blocks] == [0, 1, 31, 32]
    assert [block.overflowed for block in blocks] == [False, False, True, False]


def test_sound_that_is_only_late_is_not_lost() -> None:
    """A backlog comes in a burst after a pause; positions ran ahead for good, and losses were made up."""
    clock = VirtualClock()
    source = LiveSource("fake", RATE, start_idle, clock)
    delivered = [0.1 * n for n in range(1, 100)]
    arrivals = [moment if not 4 <= moment <= 7 else 7.0 for moment in delivered]  # three seconds late
    for moment in arrivals:
        clock.now = 100 + moment
        source.deliver(np.zeros(RATE // 10, np.float32))
    blocks = list(itertools.islice(source.blocks(), len(arrivals)))
    assert [block.position for block in blocks] == [n * (RATE // 10) for n in range(len(arrivals))]
    assert sum(block.overflowed for block in blocks) == 1  # sound may have been missing there


@pytest.mark.parametrize("missing", [0.4, 2.0, 9.0])
def test_sound_that_a_device_leaves_out_without_a_word_is_found(missing: float) -> None:
    """Also less than a second; where it may be missing is marked at once, how much is known seconds later."""
    clock = VirtualClock()
    source = LiveSource("fake", RATE, start_idle, clock)
    for number in range(300):
        clock.now = 100 + 0.1 * (number + 1) + (missing if number >= 150 else 0)
        source.deliver(np.zeros(RATE // 10, np.float32))
    blocks = list(itertools.islice(source.blocks(), 300))
    lost = blocks[-1].position - 299 * (RATE // 10)
    assert lost / RATE == pytest.approx(missing, abs=0.01)
    assert blocks[150].overflowed
    (jump,) = (
        number for number in range(1, 300)
        if blocks[number].position != blocks[number - 1].position + RATE // 10
    )  # fmt: skip
    assert 150 <= jump <= 195
