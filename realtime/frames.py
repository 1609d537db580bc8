"""The values that flow through the pipeline: blocks of samples and windows of them.

Arrays inside are read-only: whoever receives one may keep it, nobody may write to it. Positions
are samples since the stream opened; time is never added up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SILENCE_FLOOR_DBFS = -120.0
"""The lowest level we speak of; digital silence has this one."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """What a source delivers at a time.

    ``samples`` (n,) float32 mono in [-1, 1], read-only; ``position`` of its first sample at the
    source's ``sample_rate`` (Hz), counted where the sound was captured, so that a loss leaves a
    jump; ``captured_at`` monotonic seconds of its last sample; ``overflowed`` when the device said
    that it lost sound just before.
    """

    samples: Samples
    position: int
    sample_rate: int
    captured_at: float
    overflowed: bool = False


@dataclass(frozen=True, slots=True)
class AudioWindow:
    """One window at the model's rate.

    ``samples`` (window_samples,) float32, read-only; ``position`` of its first sample at the
    model's rate; ``captured_at`` monotonic seconds of its last sample; ``level_dbfs`` of the
    samples that are new in it; ``has_gap`` when sound is missing inside it.
    """

    samples: Samples
    position: int
    captured_at: float
    level_dbfs: float
    has_gap: bool = False


def clean_samples(samples: npt.NDArray[np.floating | np.signedinteger]) -> Samples:
    """Mono samples as the pipeline wants them: NaN and infinity become silence, the rest is clipped.

    Parameters
    ----------
    samples : (n,) or (n, channels) floating, full scale 1, or signed integer, full scale that of its type
        Channels are averaged.

    Returns
    -------
    (n,) float32 in [-1, 1], read-only, never the array given
    """
    finite: npt.NDArray[Any] = samples
    if np.issubdtype(samples.dtype, np.signedinteger):
        finite = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
    elif not np.isfinite(samples).all():
        finite = np.where(np.isfinite(samples), samples, 0)
    mono = finite.mean(axis=1) if finite.ndim == 2 else finite
    clipped: Samples = np.clip(mono, -1, 1).astype(np.float32)
    clipped.flags.writeable = False
    return clipped


def level_dbfs(samples: Samples) -> float:
    """Root mean square of ``samples`` in dB of full scale, not below ``SILENCE_FLOOR_DBFS``.

    A full-scale sine reads -3.01 dBFS.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(SILENCE_FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_FLOOR_DBFS
