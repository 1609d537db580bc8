"""Mono float32 samples, the type with which all packages exchange audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


def sanitize_samples(samples: npt.NDArray[np.floating | np.signedinteger]) -> Samples:
    """Convert samples to mono float32. NaN and infinity become silence, and overshoots are clipped.

    Parameters
    ----------
    samples : (n,) or (n, channels) floating or signed integer
        Full scale is 1, or that of the integer type. Channels are averaged.

    Returns
    -------
    (n,) float32 in [-1, 1], read-only
        Copy of the samples.
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
