"""How the pipeline is doing, in numbers that are shown and sent."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of a recent span, in milliseconds; 0 before there is anything."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class PipelineHealth:
    """Counters since the start, and latencies of the last ``LATENCY_SPAN`` windows.

    ``samples_lost`` are at the source's rate, seen as jumps of position; ``gaps`` counts those jumps;
    ``overruns`` are windows that took longer than a hop; ``windows_skipped`` were too late to be worth
    it; ``real_time_factor`` is seconds of sound per second of work; ``latency_ms`` reaches from the
    capture of a window's last sample to its estimate.
    """

    blocks_in: int
    samples_lost: int
    gaps: int
    windows: int
    windows_skipped: int
    overruns: int
    real_time_factor: float
    latency_ms: Percentiles


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source says of itself beside its sound, since it was opened.

    ``trouble`` is why nothing comes while it is being opened again, empty while all is well; ``device``
    what it listens to at present; ``title`` what a station says that it plays; ``reopened`` counts new
    openings, ``overflows`` the device's own losses, ``dropped_blocks`` those that the analysis was too slow
    for; ``drift_ppm`` how much faster the device's clock runs than ours, None before it is known.
    """

    device: str = ""
    title: str = ""
    trouble: str = ""
    reopened: int = 0
    overflows: int = 0
    dropped_blocks: int = 0
    drift_ppm: float | None = None


LATENCY_SPAN = 240
"""Windows that percentiles speak of: about two minutes at the default hop."""


class LatencyMeter:
    """Percentiles over the last ``LATENCY_SPAN`` values, nearest-rank."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=LATENCY_SPAN)

    def add(self, milliseconds: float) -> None:
        """Take one value in."""
        self._values.append(milliseconds)

    def percentiles(self) -> Percentiles:
        """Percentiles of what is held."""
        ordered = sorted(self._values)
        if not ordered:
            return Percentiles(0.0, 0.0, 0.0)
        p50, p95, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99))
        return Percentiles(p50, p95, p99)
