"""STFT, noise floor and reduction to bands, compared with librosa and SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.spectrogram import image, spec, stft
from models.spectrogram.spec import AudioSpec
from tests.support.audio import noise
from tests.support.spectrograms import SPARSE, SPEC, golden_signal


def test_stft_equals_librosa() -> None:
    import librosa

    samples = golden_signal()
    ours = stft.stft(samples, SPEC)
    theirs = librosa.stft(
        samples,
        n_fft=SPEC.n_fft,
        hop_length=SPEC.column_step,
        window=spec.hann_window(SPEC.n_fft),
        center=False,
    ).T
    assert ours.shape == theirs.shape == (57, 1025)
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_tukey_columns_equal_scipys_spectrogram() -> None:
    """SciPy's defaults, but for the step, which leaves sound out between columns here.

    SciPy scales to density and counts every frequency but the first and the last twice.
    """
    from scipy import signal

    samples = np.concatenate([golden_signal()[20_000:], golden_signal()])[: SPARSE.window_samples]
    samples += np.float32(0.1)  # a mean that has to go
    ours = np.abs(stft.stft(samples, SPARSE)) ** 2
    assert ours.shape == (SPARSE.columns, 129)
    starts = range(0, SPARSE.columns * SPARSE.column_step, SPARSE.column_step)
    segments = np.stack([samples[start : start + SPARSE.n_fft] for start in starts])
    _, _, theirs = signal.spectrogram(segments.astype(np.float64), SPARSE.sample_rate)
    window = signal.get_window(("tukey", 0.25), SPARSE.n_fft)
    theirs = theirs[..., 0] * SPARSE.sample_rate * np.sum(window**2)
    theirs[:, 1:-1] /= 2
    assert np.abs(ours - theirs).max() <= 1e-5 * theirs.max()
    assert np.allclose(ours[:, 1:-1], theirs[:, 1:-1], rtol=1e-2, atol=1e-7 * theirs.max())


@pytest.mark.parametrize("spec", [SPEC, SPARSE], ids=["hann", "tukey"])
def test_power_floor_is_the_noise_of_16_bits(spec: AudioSpec) -> None:
    rounded = np.round(noise(spec.window_samples) * 3) / 32768  # far below one would be all zero
    error = rounded - noise(spec.window_samples) * 3 / 32768
    power = np.mean(np.abs(stft.stft(error.astype(np.float32), spec))[:, 1:] ** 2)
    empty = stft.decibels(np.zeros((1, 3), np.complex64), spec)
    assert empty == pytest.approx(10 * np.log10(power), abs=10 * np.log10(1.03))


def test_rows_are_averaged_by_area() -> None:
    columns = np.arange(10, dtype=np.float32).reshape(2, 5)
    # 5 bins into 2 rows: each row holds two and a half bins.
    expected = [
        [(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5],
        [(5 + 6 + 7 / 2) / 2.5, (7 / 2 + 8 + 9) / 2.5],
    ]
    assert stft.average_bands(columns, np.array([0, 0.5, 1])) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("bins", [1025, 544])
def test_live_bins_and_stored_rows_reduce_alike(bins: int) -> None:
    slope = np.linspace(0, 1, bins, dtype=np.float32)[np.newaxis]
    reduced = stft.to_bands(slope, SPEC)
    assert reduced.shape == (1, 256)
    assert reduced[0] == pytest.approx(np.linspace(1 / 512, 1 - 1 / 512, 256), abs=1.5e-3)


def test_rows_narrower_than_a_bin_get_its_value() -> None:
    columns = np.array([[10.0, -20.0, 30.0, 7.0]], np.float32)
    edges = np.array([0, 0.01, 0.02, 0.2, 0.25, 0.375, 0.75, 0.999, 1])
    expected = [10, 10, 10, 10, -20, (-20 / 2 + 30) / 1.5, 7, 7]
    assert stft.average_bands(columns, edges)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("row_break_hz", [0.0, 20.0, 700.0, 8_000.0])
def test_row_edges_have_the_form_they_state(row_break_hz: float) -> None:
    edges = stft.band_edges(replace(SPEC, row_break_hz=row_break_hz))
    assert edges.shape == (257,)
    assert (edges[0], edges[-1]) == (0, pytest.approx(1))
    assert (np.diff(edges) > 0).all()
    assert not edges.flags.writeable
    share = np.arange(257) / 256
    if row_break_hz:
        hz = row_break_hz * ((1 + 11_025 / row_break_hz) ** share - 1)
    else:
        hz = 11_025 * share
    assert edges * 11_025 == pytest.approx(hz)


def test_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"exactly 109568 samples \(4.97 s at 22050 Hz\)"):
        image.spectrogram_image(np.zeros(1000, np.float32), SPEC)
    with pytest.raises(ValueError, match="at least 2048"):
        stft.stft(np.zeros(1000, np.float32), SPEC)
