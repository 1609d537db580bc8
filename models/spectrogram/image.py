"""Draw one window of sound as a (256, 256, 3) spectrogram image.

Training and the live path both draw their images with this module, so that their images cannot differ. The
steps are public, because the training arrays are in decibels already and skip the first steps, and because
tests compare each step with a reference::

    samples -> stft -> decibels -> to_bands -> scale -> colorize

Every column up to ``to_bands`` depends on its own ``n_fft`` samples only. ``models.spectrogram.incremental``
therefore reuses the columns that two overlapping windows share, and the image is identical.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from models.spectrogram.spec import AudioSpec, Bytes, Floats
from models.spectrogram.stft import band_columns, band_edges


def scale(reduced: Floats, spec: AudioSpec) -> Floats:
    """Scale the decibels of one window to 0..1 and clip them, as ``Scaling`` describes.

    Parameters
    ----------
    reduced : (columns, rows) float32
        Decibels, or any affine function of decibels such as arrays stored as bytes.

    Returns
    -------
    (columns, rows) float32
        All zero if the window is flat, as digital silence is.
    """
    scaling = spec.scaling
    band = np.sort(reduced[:, : _bands_in_range(spec)], axis=1)
    lower = _median(band[:, int(scaling.quantile * (band.shape[1] - 1))])
    upper = _median(band[:, -1])
    reach = np.float32(scaling.reach * (upper - lower))
    if reach <= 0:
        return np.zeros_like(reduced)
    scaled: Floats = np.clip((reduced - (upper - reach)) / reach, np.float32(0), np.float32(1))
    return scaled


@lru_cache(maxsize=8)
def _bands_in_range(spec: AudioSpec) -> int:
    edges = band_edges(spec)
    centers = (edges[1:] + edges[:-1]) / 2
    return max(1, int(np.searchsorted(centers, spec.scaling.band_hz / (spec.sample_rate / 2))))


def _median(values: Floats) -> np.float32:
    """Compute the median. ``np.median`` takes six times as long for this few values."""
    ordered, half = np.sort(values), len(values) // 2
    return np.float32(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def intensity(scaled: Floats, spec: AudioSpec) -> Bytes:
    """Stretch a scaled window's time axis linearly to the image's width.

    Parameters
    ----------
    scaled : (columns, image_size) float32 in 0..1
        Oldest column first, lowest frequency first.

    Returns
    -------
    (image_size, image_size) uint8
        Indexes into the colormap. Row 0 is the highest frequency, column 0 the oldest.
    """
    left, right, share = _stretch(scaled.shape[0], spec.image_size)
    before = scaled[left]
    stretched = scaled[right]  # (image_size, rows)
    stretched -= before
    stretched *= share
    stretched += before
    stretched *= np.float32(255)
    stretched += np.float32(0.5)
    return stretched.astype(np.uint8).T[::-1]


def colorize(scaled: Floats, spec: AudioSpec) -> Bytes:
    """Map ``intensity`` to colors: (columns, image_size) -> (image_size, image_size, 3) uint8."""
    # Looking up four bytes a pixel at once and keeping three takes half the time of looking up three.
    looked_up = _packed_colormap().take(intensity(scaled, spec))
    pixels = looked_up.view(np.uint8).reshape(*looked_up.shape, 4)
    image = np.empty((*looked_up.shape, 3), np.uint8)
    for channel in range(3):
        image[..., channel] = pixels[..., channel]
    return image


@lru_cache(maxsize=8)
def _stretch(columns: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Return neighbors and weights that resize ``columns`` to ``size`` pixels with aligned pixel centers."""
    centers = np.clip((np.arange(size) + 0.5) * columns / size - 0.5, 0, columns - 1)
    left = centers.astype(np.intp)
    right = np.minimum(left + 1, columns - 1)
    return left, right, (centers - left).astype(np.float32)[:, np.newaxis]


@lru_cache(maxsize=1)
def colormap() -> Bytes:
    """Return the colormap inferno, (256, 3) uint8 RGB (Nathaniel Smith and Stefan van der Walt, CC0)."""
    table = np.frombuffer((files("models.spectrogram") / "inferno.rgb").read_bytes(), dtype=np.uint8)
    return table.reshape(256, 3)


@lru_cache(maxsize=1)
def _packed_colormap() -> npt.NDArray[np.uint32]:
    return np.pad(colormap(), ((0, 0), (0, 1))).view(np.uint32)[:, 0]


def image_from_columns(reduced: Floats, spec: AudioSpec) -> Bytes:
    """Draw one window's band columns, (columns, image_size) -> (image_size, image_size, 3) uint8."""
    return colorize(scale(reduced, spec), spec)


def spectrogram_image(samples: Floats, spec: AudioSpec) -> Bytes:
    """Draw the spectrogram image of exactly one window of sound.

    Parameters
    ----------
    samples : (window_samples,) float32 in [-1, 1] at ``spec.sample_rate``

    Returns
    -------
    (image_size, image_size, 3) uint8

    Raises
    ------
    ValueError
        If there are more or fewer samples.
    """
    check_window(samples, spec)
    return image_from_columns(band_columns(samples, spec), spec)


def check_window(samples: Floats, spec: AudioSpec) -> None:
    """Raise ValueError unless ``samples`` are exactly one window."""
    if samples.shape != (spec.window_samples,):
        raise ValueError(
            f"an image needs exactly {spec.window_samples} samples "
            f"({spec.window_seconds:.2f} s at {spec.sample_rate} Hz); got shape {samples.shape}"
        )
