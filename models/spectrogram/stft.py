"""Short-time Fourier transform in decibels, averaged into the model's frequency bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.fft  # NumPy would load it at the first window, when no open file may be left for it
import numpy.typing as npt

from models.spectrogram.spec import WINDOWS, AudioSpec, Doubles, Floats

ROUNDING_POWER = 1 / 32768**2 / 12
"""Variance of rounding to 16 bits, which is uniform over one step of 1/32768.

The window multiplies this variance by the sum of its squares (767.6 for a Hann window of 2,048 samples).
The product is added to every bin before the logarithm. GTZAN is 16-bit audio. A stream of floats has no such
noise floor, and its empty bins would be lower than any that the network was trained on.
"""


def stft(samples: Floats, spec: AudioSpec) -> npt.NDArray[np.complex64]:
    """Compute the short-time Fourier transform on the column grid, without padding.

    Parameters
    ----------
    samples : (n,) float32 in [-1, 1]
        Column ``c`` covers ``samples[c * column_step : c * column_step + n_fft]``.

    Returns
    -------
    (columns, bins) complex64
        Equal to ``librosa.stft(center=False).T`` with ``hann_window`` passed explicitly.

    Raises
    ------
    ValueError
        If there are fewer than ``n_fft`` samples.
    """
    if samples.ndim != 1 or len(samples) < spec.n_fft:
        raise ValueError(f"samples of shape {samples.shape}; need one axis of at least {spec.n_fft}")
    count, stride = 1 + (len(samples) - spec.n_fft) // spec.column_step, samples.strides[0]
    frames = np.lib.stride_tricks.as_strided(
        samples, (count, spec.n_fft), (spec.column_step * stride, stride), writeable=False
    )
    if spec.window == "tukey":
        frames = frames - frames.mean(axis=1, keepdims=True)
    windowed = frames * WINDOWS[spec.window](spec.n_fft)  # (columns, n_fft)
    spectrum = np.fft.rfft(windowed, axis=1)  # NumPy 1 computes in float64, NumPy 2 in float32
    return spectrum.astype(np.complex64, copy=False)


def decibels(spectrum: npt.NDArray[np.complex64], spec: AudioSpec) -> Floats:
    """Return the power in dB above the rounding noise, float32 of the shape of ``spectrum``."""
    power = spectrum.real**2 + spectrum.imag**2
    power += _power_floor(spec.window, spec.n_fft)
    result: Floats = np.log(power, out=power)  # NumPy vectorizes log, not log10: 5 times faster
    result *= np.float32(10 / np.log(10))
    return result


@lru_cache(maxsize=8)
def _power_floor(window: str, n_fft: int) -> np.float32:
    return np.float32(np.sum(WINDOWS[window](n_fft) ** 2) * ROUNDING_POWER)


@lru_cache(maxsize=8)
def band_edges(spec: AudioSpec) -> npt.NDArray[np.float64]:
    """Return the edges of the image's rows, (image_size + 1,) float64, from 0 (0 Hz) to 1 (Nyquist).

    With a break ``b`` the edge at share ``x`` of the height is ``b ((1 + nyquist / b)**x - 1)`` Hz. This is
    the form of the mel scale, whose break is 700 Hz.
    """
    share = np.arange(spec.image_size + 1) / spec.image_size
    if spec.row_break_hz:
        ratio = spec.sample_rate / 2 / spec.row_break_hz
        share = ((1 + ratio) ** share - 1) / ratio
    share.flags.writeable = False
    return share


def average_bands(columns: npt.NDArray[np.floating | np.uint8], edges: npt.NDArray[np.float64]) -> Floats:
    """Average neighboring frequencies by area.

    The cumulative sum over frequency is read at the edges. A fractional edge takes its share of its bin. A
    row that is narrower than a bin gets the value of the bin.

    Parameters
    ----------
    columns : (columns, n) any real dtype
        Evenly spaced frequencies, lowest first.
    edges : (rows + 1,) float64
        Ascending shares of the band, 0 to 1.

    Returns
    -------
    (columns, rows) float32
    """
    n = columns.shape[1]
    whole, part, widths = _edge_positions(np.asarray(edges, np.float64).tobytes(), n)
    running = np.zeros((len(columns), n + 1))  # float64: float32 would lose 0.01 dB by the last row
    np.cumsum(columns, axis=1, dtype=np.float64, out=running[:, 1:])
    at_edges = running.take(whole, axis=1) + part * columns.take(whole, axis=1)  # (columns, rows + 1)
    averaged: Floats = ((at_edges[:, 1:] - at_edges[:, :-1]) / widths).astype(np.float32)
    return averaged


@lru_cache(maxsize=32)
def _edge_positions(edges: bytes, n: int) -> tuple[npt.NDArray[np.intp], Doubles, Doubles]:
    """Return the bin of each edge among ``n`` bins, its fraction of the bin, and the widths of the rows."""
    position = np.frombuffer(edges) * n
    whole = np.minimum(position.astype(np.intp), n - 1)
    return whole, position - whole, np.diff(position)


def to_bands(columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec) -> Floats:
    """Average frequencies into the image's rows, for live bins and for stored arrays.

    Parameters
    ----------
    columns : (columns, n) any real dtype
        Decibels, as ``average_bands`` takes them.
    spec : AudioSpec

    Returns
    -------
    (columns, image_size) float32
    """
    return average_bands(columns, band_edges(spec))


def band_columns(samples: Floats, spec: AudioSpec) -> Floats:
    """Compute the unscaled columns of sound, (columns, image_size) float32 dB, lowest frequency first."""
    return to_bands(decibels(stft(samples, spec), spec), spec)
