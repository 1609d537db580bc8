from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.decoding import StreamResampler
from models.audio.samples import sanitize_samples
from realtime.audio.source import level_dbfs
from tests.support.audio import noise, tone


def test_clean_samples_averages_clips_and_silences_what_is_no_number() -> None:
    samples = np.array([[0.5, 0.25], [np.nan, 0.5], [np.inf, -np.inf], [3.0, 3.0], [-9.0, -1.0]])
    cleaned = sanitize_samples(samples)
    assert cleaned.tolist() == [0.375, 0.25, 0.0, 1.0, -1.0]
    assert cleaned.dtype == np.float32
    assert not cleaned.flags.writeable


def test_clean_samples_copies() -> None:
    """PortAudio reuses its buffer as soon as the callback returns."""
    buffer = np.ones(4, np.float32)
    cleaned = sanitize_samples(buffer)
    buffer[:] = 0
    assert cleaned.tolist() == [1, 1, 1, 1]


def test_level_of_a_full_scale_sine_and_of_silence() -> None:
    assert level_dbfs(tone(1000, 1, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(np.zeros(10, np.float32)) == -120
    assert level_dbfs(np.zeros(0, np.float32)) == -120


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


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_integer_samples_have_the_full_scale_of_their_type(dtype: type) -> None:
    limits = np.iinfo(dtype)
    cleaned = sanitize_samples(np.array([limits.min, 0, limits.max], dtype))
    assert cleaned.tolist() == pytest.approx([-1, 0, 1], abs=0.01)
