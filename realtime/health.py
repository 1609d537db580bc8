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


DRIFT_SPAN_SECONDS = 10.0
DRIFT_LEAST_SECONDS = 60.0


class DriftMeter:
    """How much faster than ours a device's clock runs, from positions and when they arrived.

    Blocks come late by chance, never early; so of every ten seconds the least late one counts, and the
    drift is the slope from the first ten seconds to the last full ones.

    Parameters
    ----------
    sample_rate : int
        Hz, that the device says it has.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._span_begins: float | None = None
        self._least: tuple[float, float] | None = None  # lateness and when, of the present span
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def add(self, position: int, now: float) -> None:
        """A block that ends at ``position`` has arrived."""
        late = now - position / self._rate
        if self._span_begins is None:
            self._span_begins = now
        elif now - self._span_begins >= DRIFT_SPAN_SECONDS:
            self._first, self._last = self._first or self._least, self._least
            self._span_begins, self._least = now, None
        if self._least is None or late < self._least[0]:
            self._least = late, now

    def ppm(self) -> float | None:
        """Parts per million, to a tenth; None before a minute has passed."""
        if self._first is None or self._last is None:
            return None
        elapsed = self._last[1] - self._first[1]
        if elapsed < DRIFT_LEAST_SECONDS:
            return None
        return round((self._first[0] - self._last[0]) / elapsed * 1e6, 1)
