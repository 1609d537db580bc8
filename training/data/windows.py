"""Windows of one track as the cache stores them, and their computation from samples.

A track becomes several windows of 5 s. For each window the cache holds the spectrogram columns in all
geometries, clean and once degraded, as bytes. The columns are stored before scaling, because augmentation
must come before it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from models.degradation import degrade_randomly
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_columns
from training.data.geometries import FINE, GEOMETRIES
from training.errors import DataError

SAMPLE_RATE = FINE.sample_rate
WINDOW_SAMPLES = max(spec.window_samples for spec in GEOMETRIES.values())
"""Samples of a window, 5.02 s: enough for each geometry."""

MIN_DB = -80.0
STEP_DB = 0.6
"""Decibels of byte 0 and of each step, so that bytes cover -80 to 73 dB.

A full-scale sine reaches 54.2 dB in the largest bin of the fine geometry, and the equalizer of
``models.degradation`` adds up to 10 dB. Images are scaled between their own extremes, so files with another
step give the same images.
"""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class TrackWindows:
    """Windows of one track. Any of the arrays may be empty.

    Attributes
    ----------
    live : (n, versions, 256, 256) uint8
        Columns in steps of ``STEP_DB``. Recordings have a clean and a degraded version. Published arrays
        have none.
    fine : (n, versions, 57, 256) uint8
        Published arrays have one version.
    coarse : (n, versions, 83, 256) uint8
    embeddings : (n, EMBEDDING_SIZE) float16
        Values of the teachers for each window, or (0, EMBEDDING_SIZE). Their key in the file is ``heard``.
    long : (columns, 256) uint8
        Coarse columns of one stretch longer than a window, or (0, 256). Published arrays have no other
        coarse columns.
    """

    live: npt.NDArray[np.uint8]
    fine: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.uint8]
    embeddings: npt.NDArray[np.float16]
    long: npt.NDArray[np.uint8]

    def in_geometry(self, spec: AudioSpec) -> npt.NDArray[np.uint8]:
        """Return the columns of all windows in one geometry, (n, versions, columns, 256) uint8."""
        name = next(name for name, each in GEOMETRIES.items() if each == spec)
        columns: npt.NDArray[np.uint8] = getattr(self, name)
        return columns

    def save(self, path: Path, source_digest: str = "") -> None:
        """Write a file atomically, with the digest that ``read_source_digest`` returns."""
        with atomic_write(path) as file:
            np.savez(
                file, live=self.live, fine=self.fine, coarse=self.coarse, heard=self.embeddings,
                long=self.long, made_from=np.array(source_digest),
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> TrackWindows:
        """Read a file that ``save`` wrote.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged file open
                return cls(*(arrays[name] for name in ("live", "fine", "coarse", "heard", "long")))
        except _UNREADABLE as error:
            raise DataError(f"cannot read {path}: {error}; delete it and prepare again") from error


def read_source_digest(path: Path) -> str:
    """Return the source digest stored in a file, or an empty string if there is none."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return str(arrays["made_from"])
    except _UNREADABLE:
        return ""


def cut_windows(
    samples: npt.NDArray[np.float32], max_windows: int, *, sample_rate: int = SAMPLE_RATE
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield at most ``max_windows`` evenly spread windows whose starts are at least half a window apart.

    A track shorter than a window is repeated until it fills one. The windows are the same stretches of time
    at each sample rate.
    """
    length = round(WINDOW_SAMPLES / SAMPLE_RATE * sample_rate)
    if len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))[:length]
    room = len(samples) - length
    # In hundredths of a second, so that rounding at another sample rate does not change the number.
    count = min(max_windows, 1 + int(100 * room / sample_rate) // int(50 * length / sample_rate))
    for start in np.linspace(0, room, count).astype(int) if count > 1 else [room // 2]:
        yield samples[start : start + length]


def degraded_columns(
    windows: list[npt.NDArray[np.float32]], generator: np.random.Generator
) -> dict[str, npt.NDArray[np.uint8]]:
    """Compute the columns of windows in all geometries, clean and degraded.

    Returns
    -------
    dict of (n, 2, columns, 256) uint8
        By the names of ``GEOMETRIES``; see ``TrackWindows``.

    Raises
    ------
    DataError
        If FFmpeg cannot encode a window.
    """
    import av.error

    columns: dict[str, list[list[npt.NDArray[np.uint8]]]] = {name: [] for name in GEOMETRIES}
    for window in windows:
        try:
            versions = [window, degrade_randomly(window, SAMPLE_RATE, generator)]
        except av.error.FFmpegError as error:
            raise DataError(
                f"FFmpeg cannot encode its audio, whose largest sample is {np.abs(window).max():g}: {error}"
            ) from error
        for name, spec in GEOMETRIES.items():
            columns[name].append(
                [quantize_decibels(band_columns(v[: spec.window_samples], spec)) for v in versions]
            )
    return {name: np.array(each, np.uint8) for name, each in columns.items()}


def quantize_decibels(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Round decibels to steps of ``STEP_DB`` above ``MIN_DB``, clipped to 0..255."""
    stored: npt.NDArray[np.uint8] = np.clip((columns - MIN_DB) / STEP_DB + 0.5, 0, 255).astype(np.uint8)
    return stored


def generator_for(name: str) -> np.random.Generator:
    """Return a generator seeded by a track's name alone. Neither order nor resuming then changes a track."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
