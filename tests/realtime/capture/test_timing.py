"""Late and missing audio, detected by the arrival times of blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from realtime.capture import LiveSource
from tests.support.audio_source_contract import RATE, start_idle
from tests.support.clock import VirtualClock


def test_a_device_that_pauses_for_long_leaves_a_jump() -> None:
    """Audio is missing after the machine slept. The parts before and after must not be joined unmarked."""
    clock = VirtualClock()
    source = LiveSource("fake", RATE, start_idle, clock)
    for moment in (100.0, 101.0, 131.0, 132.0):
        clock.now = moment
        source.deliver(np.zeros(RATE, np.float32))
    blocks = list(itertools.islice(source.blocks(), 4))
    assert [block.position / RATE for block in blocks] == [0, 1, 31, 32]
    assert [block.overflowed for block in blocks] == [False, False, True, False]


def test_sound_that_is_only_late_is_not_lost() -> None:
    """After a pause the delayed audio arrives in a burst. It was once counted as lost, and then again."""
    clock = VirtualClock()
    source = LiveSource("fake", RATE, start_idle, clock)
    delivered = [0.1 * n for n in range(1, 100)]
    arrivals = [moment if not 4 <= moment <= 7 else 7.0 for moment in delivered]  # three seconds late
    for moment in arrivals:
        clock.now = 100 + moment
        source.deliver(np.zeros(RATE // 10, np.float32))
    blocks = list(itertools.islice(source.blocks(), len(arrivals)))
    assert [block.position for block in blocks] == [n * (RATE // 10) for n in range(len(arrivals))]
    assert sum(block.overflowed for block in blocks) == 1  # audio may be missing at this block


@pytest.mark.parametrize("missing", [0.4, 2.0, 9.0])
def test_audio_that_a_device_omits_without_a_report_is_detected(missing: float) -> None:
    """Losses below a second are detected too.

    The block after the loss is marked at once. The length of the loss is known some seconds later.
    """
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
