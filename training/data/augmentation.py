"""Augmentation and rendering of stored columns to the network's input.

All augmentation happens after scaling, in units of the image's intensity. It therefore means the same for
decibels of recordings and for the published arrays, whose decibels were scaled to bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import colormap, intensity, scale
from models.spectrogram.spec import AudioSpec

Floats = npt.NDArray[np.float32]
Intensities = npt.NDArray[np.uint8]
Generator = np.random.Generator

POOLING = 2
"""Pixels of each side of the squares that the first layer averages.

128 rows of 39 ms columns separate music better than 256 rows of 78 ms at the same arithmetic (``REPORT.md``).
"""


def window_intensities(columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec) -> Intensities:
    """Scale one window's columns to an intensity image without augmentation.

    Parameters
    ----------
    columns : (n, image_size) any real dtype
        Decibels in any affine unit, lowest frequency first.

    Returns
    -------
    (image_size, image_size) uint8
        Indices into the colormap. ``render`` turns them into the network's input.
    """
    return intensity(scale(columns.astype(np.float32), spec), spec)


def render(intensities: Any) -> Any:
    """Look up the colors of a batch and average squares of pixels as the network's first layer does.

    Parameters
    ----------
    intensities : (n, 256, 256) uint8 tensor
        From ``window_intensities`` or ``augment``.

    Returns
    -------
    (n, 128, 128, 3) float32 tensor
        Pixels 0..255.
    """
    import tensorflow as tf

    images = tf.gather(tf.constant(colormap(), tf.float32), tf.cast(intensities, tf.int32))
    return tf.nn.avg_pool2d(images, POOLING, POOLING, "VALID")


def augment(
    columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec, generator: Generator, strength: float = 1.0
) -> Intensities:
    """Scale a window to an intensity image with random variations.

    The variations are a stretch in time (tempo), a shift along the frequency axis (pitch), a smooth change
    of level over frequency (equalizer), a change of contrast, a raised floor (noise), a band limit, and
    masks over frequency and time (SpecAugment, Park et al., 2019).

    Parameters
    ----------
    columns : (n, image_size) any real dtype
        At least the columns of a window. A longer stretch is cropped at a random position.
    strength : float
        1 is the full range. 0 leaves only the position of the crop random.

    Returns
    -------
    (image_size, image_size) uint8
        Indices into the colormap, as from ``window_intensities``.
    """
    factor = 1 + strength * generator.uniform(-0.2, 0.2)
    length = int(min(len(columns), max(spec.columns * 0.75, round(spec.columns * factor))))
    start = int(generator.integers(0, len(columns) - length + 1))
    scaled = scale(columns[start : start + length].astype(np.float32), spec)
    rows = scaled.shape[1]
    if strength and scaled.any():
        scaled = _shift_bands(scaled, int(generator.integers(-6, 7) * strength))
        if generator.random() < 0.5:
            knots = generator.uniform(-0.12, 0.12, 6) * strength
            curve = np.interp(np.linspace(0, 5, rows), np.arange(6), knots)
            scaled = np.clip(scaled + curve.astype(np.float32), 0, 1)
        if generator.random() < 0.5:
            scaled = np.clip((scaled - 0.5) * generator.uniform(0.85, 1.15) + 0.5, 0, 1).astype(np.float32)
        if generator.random() < 0.3:
            scaled = np.maximum(scaled, np.float32(generator.uniform(0, 0.3) * strength))
        if generator.random() < 0.35:
            top = int(rows * generator.uniform(0.62, 1.0))  # 3 kHz and more
            scaled[:, top:] = scaled.min()
        for _ in range(generator.integers(0, 3)):
            width = int(generator.integers(4, 28) * strength)
            at = int(generator.integers(0, rows - width))
            scaled[:, at : at + width] = 0
        for _ in range(generator.integers(0, 3)):
            width = int(generator.uniform(0.02, 0.15) * strength * length)
            at = int(generator.integers(0, length - width))
            scaled[at : at + width] = 0
    return intensity(scaled, spec)


def _shift_bands(scaled: Floats, rows: int) -> Floats:
    if rows == 0:
        return scaled
    shifted = np.roll(scaled, rows, axis=1)
    if rows > 0:
        shifted[:, :rows] = scaled[:, :1]
    else:
        shifted[:, rows:] = scaled[:, -1:]
    return shifted
