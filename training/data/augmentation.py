"""From stored columns to what the network trains on: cropped, masked, filtered, pooled pictures.

Everything here happens after the scaling, in units of the picture's brightness, so that it means the
same for decibels of real audio and for the published arrays, whose decibels were scaled to bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import colormap, intensity, scale
from models.spectrogram.spec import AudioSpec

Floats = npt.NDArray[np.float32]
Generator = np.random.Generator

COLUMN_POOLING = 4
"""Pixels of a row that the first layer averages: 57 or 83 columns were stretched to 256."""


def window_intensities(
    columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec
) -> npt.NDArray[np.uint8]:
    """Draw one window's columns as they are.

    Parameters
    ----------
    columns : (n, image_size) any real dtype
        Decibels in any affine unit, lowest frequency first.

    Returns
    -------
    (image_size, image_size) uint8
        Places in the colormap; ``render`` turns them into what the network sees.
    """
    return intensity(scale(columns.astype(np.float32), spec), spec)


def render(places: Any) -> Any:
    """Look the colours up and average as the network's first layer does, on a whole batch.

    Parameters
    ----------
    places : (n, 256, 256) uint8 tensor
        From ``window_intensities`` or ``augment``.

    Returns
    -------
    (n, 256, 64, 3) float32 tensor
        Pixels 0..255.
    """
    import tensorflow as tf

    pictures = tf.gather(tf.constant(colormap(), tf.float32), tf.cast(places, tf.int32))
    return tf.nn.avg_pool2d(pictures, (1, COLUMN_POOLING), (1, COLUMN_POOLING), "VALID")


def augment(
    columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec, generator: Generator, strength: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Draw a window as it might have sounded elsewhere.

    A stretch of time (tempo), a shift along the frequency axis (pitch), a smooth change of level over
    frequency (equalizer), a band limit, a raised floor (noise), and masks over time and frequency
    (SpecAugment, Park et al., 2019).

    Parameters
    ----------
    columns : (n, image_size) any real dtype
        At least the columns of a window; a longer stretch is cropped at a random place.
    strength : float
        0 changes nothing but the place of the crop, 1 is the full range.

    Returns
    -------
    (image_size, image_size) uint8
        As ``window_intensities`` returns them.
    """
    want = spec.columns
    factor = 1 + strength * generator.uniform(-0.2, 0.2)
    length = int(min(len(columns), max(want * 0.75, round(want * factor))))
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
