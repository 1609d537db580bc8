"""Folders of audio as training reads them, and the on-disk cache of their pictures.

A track becomes several windows of 5 s. Of each window the cache holds the columns of both pictures,
clean and once degraded, as bytes: everything up to the scaling, which augmentation must come before.
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
from models.degradation import at_random
from models.spectrogram.stft import band_columns
from training.data.geometries import COARSE, FINE
from training.errors import DataError

SAMPLE_RATE = FINE.sample_rate
WINDOW_SAMPLES = max(FINE.window_samples, COARSE.window_samples)
"""Samples of a window, 4.97 s: enough for either picture."""

MIN_DB = -80.0
STEP_DB = 0.6
"""Bytes count steps from -80 to 73 dB: a full-scale sine has 54.2 dB in the fine picture's largest bin, and
the equalizer of ``models.degradation`` adds up to 10. Pictures are scaled between their own extremes, so
that files of another step mean the same."""


@dataclass(frozen=True, slots=True)
class TrackWindows:
    """Windows of one track.

    Attributes
    ----------
    fine : (n, 2, 57, 256) uint8
        Clean and degraded columns, in steps of ``STEP_DB``.
    coarse : (n, 2, 83, 256) uint8
    heard : (n, 250) float16
        What the teacher heard, or (0, 250).
    long : (columns, 256) uint8
        Coarse columns of one stretch longer than a window, or (0, 256): published arrays have no more.

    Any of them may be empty; ``fine`` and ``coarse`` of published arrays have one version only.
    """

    fine: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.uint8]
    heard: npt.NDArray[np.float16]
    long: npt.NDArray[np.uint8]

    def save(self, path: Path, made_from: str = "") -> None:
        """Write whole or not at all; ``source_digest_of`` is what ``source_digest_of`` shall return."""
        with atomic_write(path) as file:
            np.savez(
                file, fine=self.fine, coarse=self.coarse, heard=self.heard, long=self.long,
                made_from=np.array(made_from),
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> TrackWindows:
        """Read what ``save`` wrote.

        Raises
        ------
        DataError
            The file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged one open
                return cls(*(arrays[name] for name in ("fine", "coarse", "heard", "long")))
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"cannot read {path}: {error}; delete it and prepare again") from error


def source_digest_of(path: Path) -> str:
    """What ``Windows.save`` was told that a file is made of; empty where there is no such note or file."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return str(arrays["made_from"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return ""


def cut_windows(
    samples: npt.NDArray[np.float32], most: int, hop: int = WINDOW_SAMPLES
) -> Iterator[npt.NDArray[np.float32]]:
    """Windows of ``WINDOW_SAMPLES`` samples, evenly spread, ``hop`` samples apart or more, ``most`` at most.

    A track shorter than a window is repeated until it fills one.
    """
    if len(samples) < WINDOW_SAMPLES:
        samples = np.tile(samples, -(-WINDOW_SAMPLES // len(samples)))[:WINDOW_SAMPLES]
    room = len(samples) - WINDOW_SAMPLES
    count = min(most, 1 + room // hop)
    for start in np.linspace(0, room, count).astype(int) if count > 1 else [room // 2]:
        yield samples[start : start + WINDOW_SAMPLES]


def degraded_columns(
    windows: list[npt.NDArray[np.float32]], generator: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Columns of windows in both geometries, clean and degraded; see ``TrackWindows``.

    Raises
    ------
    DataError
        FFmpeg refuses to code the sound.
    """
    import av.error

    fine, coarse = [], []
    for window in windows:
        try:
            versions = [window, at_random(window, SAMPLE_RATE, generator)]
        except av.error.FFmpegError as error:
            raise DataError(
                f"FFmpeg cannot code its sound, whose largest sample is {np.abs(window).max():g}: {error}"
            ) from error
        fine.append([quantize_decibels(band_columns(v[: FINE.window_samples], FINE)) for v in versions])
        coarse.append([quantize_decibels(band_columns(v[: COARSE.window_samples], COARSE)) for v in versions])
    return np.array(fine, np.uint8), np.array(coarse, np.uint8)


def quantize_decibels(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Decibels as steps of ``STEP_DB`` above ``MIN_DB``, clipped to a byte."""
    stored: npt.NDArray[np.uint8] = np.clip((columns - MIN_DB) / STEP_DB + 0.5, 0, 255).astype(np.uint8)
    return stored


def generator_for(name: str) -> np.random.Generator:
    """A generator that depends on a track's name alone, so that order and resuming change nothing."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
