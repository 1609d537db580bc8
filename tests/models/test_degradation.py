"""Effect of each degradation on sounds with a known result."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models import degradation
from tests.support.audio import noise, tone

RATE = 22_050
SECOND = noise(RATE).astype(np.float32) * np.float32(0.3)
"""White noise of one second."""


def power(samples: npt.NDArray[np.float32], low: float, high: float) -> float:
    """Compute the power between two frequencies."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(spectrum[(frequencies >= low) & (frequencies < high)].sum())


def test_a_band_limit_cuts_above_and_keeps_below() -> None:
    limited = degradation.limit_bandwidth(SECOND, RATE, 4_000)
    assert limited.shape == SECOND.shape
    assert power(limited, 4_300, 11_025) < 1e-4 * power(SECOND, 4_300, 11_025)
    assert power(limited, 100, 3_500) == pytest.approx(power(SECOND, 100, 3_500), rel=0.02)


def test_a_band_limit_beyond_half_the_rate_changes_nothing() -> None:
    assert np.array_equal(degradation.limit_bandwidth(SECOND, RATE, 11_025), SECOND)


@pytest.mark.parametrize("ratio_db", [6.0, 20.0])
def test_noise_has_the_requested_ratio(ratio_db: float) -> None:
    sound = tone(440, 1, RATE)
    added = degradation.add_noise(sound, np.random.default_rng(0), ratio_db=ratio_db) - sound
    measured = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2) / np.mean(added.astype(np.float64) ** 2))
    assert measured == pytest.approx(ratio_db, abs=0.05)


def test_the_slope_of_noise_is_its_color() -> None:
    """White has equal power in equal bands, pink in octaves, brown 6 dB less an octave."""
    for slope, octave in ((0.0, 2.0), (0.5, 1.0), (1.0, 0.5)):
        added = degradation.add_noise(SECOND, np.random.default_rng(1), slope=slope) - SECOND
        assert power(added, 2_000, 4_000) / power(added, 1_000, 2_000) == pytest.approx(octave, rel=0.25)


@pytest.mark.parametrize("codec", ["libmp3lame", "aac"])
def test_coding_adds_no_delay_and_keeps_the_length(codec: str) -> None:
    """The decoded sound has no delay from the codec."""
    sound = (tone(440, 2, RATE) * np.linspace(0, 1, 2 * RATE) + 0.1 * noise(2 * RATE)).astype(np.float32)
    sound[RATE : RATE + 200] = 0.9  # marks a moment
    decoded = degradation.transcode(sound, RATE, codec, 64_000)
    assert decoded.shape == sound.shape
    assert decoded.dtype == np.float32
    assert not np.array_equal(decoded, sound)
    spectra = np.fft.rfft(decoded, 4 * RATE) * np.fft.rfft(sound, 4 * RATE).conj()
    assert abs(int(np.argmax(np.fft.irfft(spectra)[:3_000]))) <= 2
    assert np.corrcoef(decoded, sound)[0, 1] > 0.9


def test_fewer_bits_lose_more() -> None:
    error = [np.std(degradation.transcode(SECOND, RATE, bit_rate=rate) - SECOND) for rate in (32_000, 64_000)]
    assert error[0] > error[1]


def test_a_room_keeps_the_level_and_adds_reverberation() -> None:
    click = np.zeros(RATE, np.float32)
    click[1_000] = 0.5
    for sound in (SECOND, click):
        wet = degradation.reverberate(sound, RATE, np.random.default_rng(0), reverberation=0.2)
        assert wet.shape == sound.shape
        assert np.std(wet) == pytest.approx(np.std(sound), rel=0.01)
    assert np.abs(wet[:1_000]).max() < 1e-6
    tail = [float(np.mean(wet[start : start + 400] ** 2)) for start in (1_100, 3_100)]
    assert tail[0] / tail[1] == pytest.approx(10 ** (6 * 2_000 / (0.2 * RATE)), rel=0.6)


def test_silence_stays_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    for sound in (
        degradation.reverberate(silence, RATE, np.random.default_rng(0)),
        degradation.add_noise(silence, np.random.default_rng(0)),
        degradation.tilt_spectrum(silence, RATE, np.random.default_rng(0)),
    ):
        assert not sound.any()


def test_gain_is_in_decibels_and_clips() -> None:
    sound = np.array([0.1, -0.4, 0.8], np.float32)
    assert degradation.apply_gain(sound, -20) == pytest.approx([0.01, -0.04, 0.08])
    assert degradation.apply_gain(sound, 6.0206) == pytest.approx([0.2, -0.8, 1.0], rel=1e-4)
    assert degradation.apply_gain(-sound, 20).tolist() == pytest.approx([-1, 1, -1])


def test_an_equalizer_stays_within_its_decibels() -> None:
    sound = SECOND[:20_000]  # a length that is not padded
    tilted = degradation.tilt_spectrum(sound, RATE, np.random.default_rng(3), max_db=8)
    change_db = 20 * np.log10(np.abs(np.fft.rfft(tilted)) / np.abs(np.fft.rfft(sound)))[1:-1]
    assert np.abs(change_db).max() <= 8.05
    assert np.ptp(change_db) > 3
    assert np.abs(np.diff(change_db[200:])).max() < 0.2  # smooth


def test_random_degradations_are_repeatable() -> None:
    first = [degradation.degrade_randomly(SECOND, RATE, np.random.default_rng(seed)) for seed in range(12)]
    again = [degradation.degrade_randomly(SECOND, RATE, np.random.default_rng(seed)) for seed in range(12)]
    for one, other in zip(first, again, strict=True):
        assert one.shape == SECOND.shape
        assert one.dtype == np.float32
        assert np.isfinite(one).all()
        assert np.array_equal(one, other)
    assert len({each.tobytes() for each in [SECOND, *first]}) == 13
