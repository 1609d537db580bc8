"""Blocks and windows of audio, and the interface of every audio source.

Arrays in these values are read-only, so a receiver may keep them. Positions are sample numbers since
the stream opened, so that no rounding errors add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.audio.samples import Samples, sanitize_samples
from realtime.protocol.health import SourceStatus

SILENCE_FLOOR_DBFS = -120.0
"""Lowest level that is reported. Digital silence has this level."""

EMPTY_BLOCK_SECONDS = 0.5
"""Seconds without audio after which a live source yields an empty block."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Consecutive samples of a source.

    Attributes
    ----------
    samples : (n,) float32 in [-1, 1], read-only
        Mono. n is 0 in an empty block.
    position : int
        Number of the first sample at the source's rate, counted where the audio was captured. Lost audio
        makes the position jump.
    sample_rate : int
        Hz.
    captured_at : float
        Monotonic seconds of the last sample.
    overflowed : bool
        True if the device reported a loss just before the block.
    """

    samples: Samples
    position: int
    sample_rate: int
    captured_at: float
    overflowed: bool = False

    @classmethod
    def empty(cls, position: int, sample_rate: int, captured_at: float) -> AudioBlock:
        """Create a block without samples."""
        return cls(sanitize_samples(np.empty(0, np.float32)), position, sample_rate, captured_at)


@dataclass(frozen=True, slots=True)
class AudioWindow:
    """Samples of one analysis window.

    Attributes
    ----------
    samples : (window_samples,) float32, read-only
        At the model's rate.
    position : int
        Number of the first sample at the model's rate.
    captured_at : float
        Monotonic seconds of the last sample.
    level_dbfs : float
        Level of the samples that are not in the window before.
    has_gap : bool
        True if audio is missing in the window.
    """

    samples: Samples
    position: int
    captured_at: float
    level_dbfs: float
    has_gap: bool = False


class AudioSource(Protocol):
    """A stream of audio blocks.

    ``blocks`` yields blocks in order of position until the stream ends. A live source without audio yields an
    empty block every ``EMPTY_BLOCK_SECONDS``, so that the consumer can distinguish a stall from the end.
    ``close`` may be called from another thread and makes ``blocks`` end soon.
    """

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def sample_rate(self) -> int:
        """Rate of all blocks in Hz."""
        ...

    @property
    def is_live(self) -> bool:
        """True if the audio arrives at its own pace, so that a slow consumer has to skip some audio."""
        ...

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the audio. The method may be called once."""
        ...

    def status(self) -> SourceStatus:
        """Return the state of the source. Any thread may call this method."""
        ...

    def close(self) -> None:
        """Release all resources. The method may be called more than once."""
        ...


def level_dbfs(samples: Samples) -> float:
    """Compute the level of samples.

    Parameters
    ----------
    samples : (n,) float32

    Returns
    -------
    float
        Root mean square in dB of full scale, at least ``SILENCE_FLOOR_DBFS``. A full-scale sine has
        -3.01 dBFS.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(SILENCE_FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_FLOOR_DBFS
