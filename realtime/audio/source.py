"""The values that flow through the pipeline: blocks of samples and windows of them.

Arrays inside are read-only: whoever receives one may keep it, nobody may write to it. Positions
are samples since the stream opened; time is never added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.audio.samples import Samples
from realtime.protocol.health import SourceStatus

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


class AudioSource(Protocol):
    """A stream of sound.

    ``blocks`` yields blocks in order of position until the stream ends. A live source yields an
    empty block when nothing came for half a second, so that whoever waits can tell a stall from
    the end. ``close`` may be called from another thread and makes ``blocks`` end soon.
    """

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz of its blocks; never changes."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether the audio arrives at its own pace, so that a slow consumer has to skip some of it."""
        ...

    def blocks(self) -> Iterator[AudioBlock]:
        """The sound; may be called once."""
        ...

    def status(self) -> SourceStatus:
        """How it is doing; may be called from any thread."""
        ...

    def close(self) -> None:
        """Release what is held; harmless when repeated."""
        ...


def level_dbfs(samples: Samples) -> float:
    """Root mean square of ``samples`` in dB of full scale, not below ``SILENCE_FLOOR_DBFS``.

    A full-scale sine reads -3.01 dBFS.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return max(SILENCE_FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_FLOOR_DBFS
