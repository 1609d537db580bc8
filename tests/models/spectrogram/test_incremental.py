"""Equality of the incremental spectrogram and the spectrogram of whole windows."""

from __future__ import annotations

import numpy as np
import pytest

from models.spectrogram import stft
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec
from tests.support.audio import tone
from tests.support.spectrograms import SPARSE, SPEC, golden_signal


@pytest.mark.parametrize("hop", [1, 6, 56, 57, 60])
@pytest.mark.parametrize("spec", [SPEC, SPARSE], ids=["hann", "tukey"])
def test_incremental_columns_are_identical(hop: int, spec: AudioSpec) -> None:
    signal = np.concatenate([tone(700, 6), golden_signal(), tone(3000, 4)])
    stream = IncrementalSpectrogram(spec)
    positions = range(0, len(signal) - spec.window_samples, hop * spec.column_step)
    assert len(positions) >= 2
    for position in positions:
        window = signal[position : position + spec.window_samples]
        assert np.array_equal(stream.update(window, position), stft.band_columns(window, spec))


def test_incremental_columns_start_anew_after_a_gap() -> None:
    signal = np.concatenate([tone(700, 6), tone(3000, 6)])
    stream = IncrementalSpectrogram(SPEC)
    stream.update(signal[: SPEC.window_samples], 0)
    other = signal[-SPEC.window_samples :]
    columns = stream.update(other, 6 * SPEC.column_step, continuous=False)
    assert np.array_equal(columns, stft.band_columns(other, SPEC))
