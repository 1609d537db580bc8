"""Streaming resampler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.decoding import StreamResampler
from tests.support.audio import noise, tone


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([8_000, 44_100, 48_000, 192_000]), st.lists(st.integers(1, 9_000), min_size=1))
def test_resampling_does_not_depend_on_the_blocks(rate: int, sizes: list[int]) -> None:
    signal = noise(20_000).astype(np.float32)
    whole, pieces = StreamResampler(rate, 22_050), StreamResampler(rate, 22_050)
    expected = np.concatenate([whole.push(signal), whole.flush()])
    parts, start = [], 0
    for size in sizes:
        parts.append(pieces.push(signal[start : start + size]))
        start += size
    parts += [pieces.push(signal[start:]), pieces.flush()]
    assert np.array_equal(np.concatenate(parts), expected)
    assert len(expected) == pytest.approx(20_000 * 22_050 / rate, abs=1)


def test_resampling_keeps_a_tone() -> None:
    resampler = StreamResampler(48_000, 22_050)
    out = np.concatenate([resampler.push(tone(1_000, 2, 48_000)), resampler.flush()])
    spectrum = np.abs(np.fft.rfft(out))
    assert np.fft.rfftfreq(len(out), 1 / 22_050)[spectrum.argmax()] == pytest.approx(1_000, abs=0.5)


def test_equal_rates_pass_through() -> None:
    resampler = StreamResampler(22_050, 22_050)
    signal = tone(100, 0.1)
    assert resampler.push(signal) is signal
    assert len(resampler.flush()) == 0


def test_positions_are_carried_over_exactly() -> None:
    hours_in = 5 * 3600 * 44_100
    assert StreamResampler(44_100, 22_050).target_position(hours_in) == 5 * 3600 * 22_050
