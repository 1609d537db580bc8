"""Levels (bytes) and edges (Hz) of the spectrum bands that clients draw."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from models.spectrogram.spec import WINDOWS, AudioSpec
from models.spectrogram.stft import average_bands, band_edges

SPECTRUM_ROWS = 128
"""Bands of a spectrum message, fewer than the classifier's image has."""
FLOOR_DBFS = -110.0
"""Level of byte 0."""
CEILING_DBFS = -10.0
"""Level of byte 255."""


def spectrum_bytes(decibel_columns: npt.NDArray[np.float32], audio: AudioSpec) -> npt.NDArray[np.uint8]:
    """Average spectrogram columns to display bands and scale their levels to bytes.

    Parameters
    ----------
    decibel_columns : (columns, rows) float32
        Output of ``models.spectrogram.stft.band_columns``, lowest frequency first.
    audio : AudioSpec
        Geometry of the columns. Its window determines the decibels of a full-scale sine.

    Returns
    -------
    (columns, SPECTRUM_ROWS) uint8
        Oldest column first. The highest frequency comes first in each column.
    """
    full_scale = full_scale_decibels(audio.window, audio.n_fft)
    averaged = average_bands(decibel_columns, np.linspace(0, 1, SPECTRUM_ROWS + 1))
    scaled = (averaged - full_scale - FLOOR_DBFS) / (CEILING_DBFS - FLOOR_DBFS)
    levels: npt.NDArray[np.uint8] = np.clip(np.round(scaled * 255), 0, 255).astype(np.uint8)[:, ::-1]
    return levels


@lru_cache(maxsize=8)
def full_scale_decibels(window: str, n_fft: int) -> float:
    """Compute the decibels of a sine of amplitude 1 in its bin, which has half of the window's sum."""
    return float(20 * np.log10(WINDOWS[window](n_fft).sum(dtype=np.float64) / 2))


@lru_cache(maxsize=8)
def spectrum_edges_hz(audio: AudioSpec) -> tuple[float, ...]:
    """Compute the edges of the display bands: SPECTRUM_ROWS + 1 frequencies, lowest first."""
    rows = np.linspace(0, audio.image_size, SPECTRUM_ROWS + 1)
    edges = np.interp(rows, np.arange(audio.image_size + 1), band_edges(audio))
    return tuple((edges * audio.sample_rate / 2).round(2).tolist())
