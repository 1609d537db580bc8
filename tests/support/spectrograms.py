"""Audio specifications, and a signal whose image is stored."""

from __future__ import annotations

import numpy as np

from models.spectrogram import spec
from models.spectrogram.spec import AudioSpec
from tests.support.audio import noise

SPEC = AudioSpec()
SPARSE = AudioSpec(n_fft=256, column_step=1334, columns=83, window="tukey")
"""Short columns with gaps between them, as SciPy computes them by default."""


def golden_signal() -> spec.Floats:
    """Return the signal of ``golden/picture.npz``: gliding harmonics, weak noise, a click and silence."""
    t = np.arange(SPEC.window_samples) / SPEC.sample_rate
    glide = sum(np.sin(2 * np.pi * k * (220 * t + 20 * t**2)) / k for k in (1, 2, 3, 8, 20))
    signal = 0.2 * glide + 0.002 * noise(len(t))
    signal[60_000] = 1.0
    signal[:5_512] = 0.0
    return signal.astype(np.float32)
