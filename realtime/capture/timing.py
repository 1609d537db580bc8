"""Detect dropouts and clock drift from the times at which captured audio arrives."""

from __future__ import annotations

from collections import deque
from typing import Final

INTERVAL_SECONDS: Final = 1.0
"""Length of an interval for dropouts. Only the smallest delay of each interval is used."""

BASELINE_INTERVALS: Final = 10
"""Intervals whose smallest delay counts as normal. Few intervals let the baseline follow a slow drift."""

CONFIRMING_INTERVALS: Final = 3
"""Intervals for which audio must be late before it counts as lost. Delayed audio arrives by then."""

MIN_DROPOUT_SECONDS: Final = 0.25
"""Shortest dropout that differs from the jitter of the delivery. Devices report shorter losses themselves."""

MAX_BACKLOG_SECONDS: Final = 15.0
"""Longest audio that a sound server buffers for a suspended reader. After a longer pause, audio is lost."""

DRIFT_INTERVAL_SECONDS: Final = 10.0
"""Length of an interval for the clock drift. Only the smallest delay of each interval is used."""

MIN_DRIFT_SECONDS: Final = 60.0
"""Minimum time between the first and the last interval for an estimate of the drift."""


class DropoutDetector:
    """Detector of audio that a device dropped without reporting the loss.

    A block may arrive late by chance but never early, so the smallest delay of an interval shows the true
    position of the stream. Audio is missing if that delay stays ``MIN_DROPOUT_SECONDS`` above the baseline
    for ``CONFIRMING_INTERVALS``.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._delays: deque[float] = deque(maxlen=BASELINE_INTERVALS + CONFIRMING_INTERVALS)
        self._min_delay: float | None = None  # of the present interval
        self._interval_end = 0.0
        self._last_arrival: float | None = None

    def add(self, position: int, now: float, length: int) -> int:
        """Add a block, and return the number of samples that are missing before it.

        Parameters
        ----------
        position : int
            Position after the last sample of the block.
        now : float
            Monotonic seconds.
        length : int
            Samples in the block.
        """
        delay = now - position / self._rate
        pause = 0.0 if self._last_arrival is None else now - self._last_arrival - length / self._rate
        self._last_arrival = now
        if pause > MAX_BACKLOG_SECONDS:
            self._restart(delay - pause, now)
            return round(pause * self._rate)
        if self._min_delay is None:
            self._restart(delay, now)
            return 0
        self._min_delay = min(self._min_delay, delay)
        if now < self._interval_end:
            return 0
        self._delays.append(self._min_delay)
        self._min_delay, self._interval_end = delay, now + INTERVAL_SECONDS
        if len(self._delays) <= CONFIRMING_INTERVALS:
            return 0
        baseline = min(list(self._delays)[:-CONFIRMING_INTERVALS])
        missing_seconds = min(list(self._delays)[-CONFIRMING_INTERVALS:]) - baseline
        if missing_seconds < MIN_DROPOUT_SECONDS:
            return 0
        self._restart(delay - missing_seconds, now)
        return round(missing_seconds * self._rate)

    def is_late(self, now: float, length: int) -> bool:
        """Return True if a block that arrives now is so late that audio may be missing before it."""
        last = self._last_arrival
        return last is not None and now - last - length / self._rate > MIN_DROPOUT_SECONDS

    def _restart(self, delay: float, now: float) -> None:
        self._delays.clear()
        self._min_delay, self._interval_end = delay, now + INTERVAL_SECONDS


class ClockDriftEstimator:
    """Estimator of the drift of a device's clock against the system clock.

    The drift is the slope from the smallest delay of the first interval to the smallest delay of the last
    complete interval.

    Parameters
    ----------
    sample_rate : int
        Nominal rate of the device in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._interval_start: float | None = None
        # Delays with their times of arrival.
        self._smallest: tuple[float, float] | None = None  # of the present interval
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def add(self, position: int, now: float) -> None:
        """Add a block that ends at ``position`` and arrives at ``now`` (monotonic seconds)."""
        delay = now - position / self._rate
        if self._interval_start is None:
            self._interval_start = now
        elif now - self._interval_start >= DRIFT_INTERVAL_SECONDS:
            self._first, self._last = self._first or self._smallest, self._smallest
            self._interval_start, self._smallest = now, None
        if self._smallest is None or delay < self._smallest[0]:
            self._smallest = delay, now

    def ppm(self) -> float | None:
        """Return the drift in parts per million. It is positive for a fast device.

        Returns
        -------
        float or None
            None before ``MIN_DRIFT_SECONDS`` have passed.
        """
        if self._first is None or self._last is None:
            return None
        elapsed = self._last[1] - self._first[1]
        if elapsed < MIN_DRIFT_SECONDS:
            return None
        return round((self._first[0] - self._last[0]) / elapsed * 1e6, 1)
