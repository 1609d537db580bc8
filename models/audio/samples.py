"""Mono float32 samples, the type with which all packages exchange audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

MIN_MEAN_POWER = 0.01
"""Share of the channels' power that their mean must keep, -20 dB. Below, the channels cancel each other."""


def sanitize_samples(samples: npt.NDArray[np.floating | np.signedinteger]) -> Samples:
    """Convert samples to mono float32. NaN and infinity become silence, and overshoots are clipped.

    Parameters
    ----------
    samples : (n,) or (n, channels) floating or signed integer
        Full scale is 1, or that of the integer type. Channels are averaged, see ``mix_channels``.

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
    mono = mix_channels(finite) if finite.ndim == 2 else finite
    clipped: Samples = np.clip(mono, -1, 1).astype(np.float32)
    clipped.flags.writeable = False
    return clipped


def mix_channels(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Average channels. Channels that cancel each other out give one loud channel instead.

    Stereo with one inverted channel, from a wrong cable or a decoder of surround sound, would be silent.

    Parameters
    ----------
    samples : (n, channels) floating

    Returns
    -------
    (n,) floating
    """
    mean: npt.NDArray[Any] = samples.mean(axis=1)
    if samples.shape[1] < 2 or not len(samples):
        return mean
    powers = np.square(samples, dtype=np.float64).mean(axis=0)
    if np.square(mean, dtype=np.float64).mean() < MIN_MEAN_POWER * powers.mean():
        # The first of the loud channels, because two blocks must not come from two inverted channels.
        chosen: npt.NDArray[Any] = samples[:, (powers >= powers.max() / 2).argmax()]
        return chosen
    return mean
