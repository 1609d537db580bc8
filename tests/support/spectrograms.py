"""Geometries and a signal for spectrograms."""

from __future__ import annotations

import numpy as np

from models.spectrogram import spec
from models.spectrogram.spec import AudioSpec
from tests.support.audio import noise

SPEC = AudioSpec()
SPARSE = AudioSpec(n_fft=256, column_step=1334, columns=83, window="tukey")
"""Short columns far apart, as of arrays that were made with SciPy's defaults."""


def golden_signal() -> spec.Floats:
    """Three harmonics that glide, a little noise, a click, and a quarter second of silence."""
    t = np.arange(SPEC.window_samples) / SPEC.sample_rate
    glide = sum(np.sin(2 * np.pi * k * (220 * t + 20 * t**2)) / k for k in (1, 2, 3, 8, 20))
    signal = 0.2 * glide + 0.002 * noise(len(t))
    signal[60_000] = 1.0
    signal[:5_512] = 0.0
    return signal.astype(np.float32)
