"""What arrival times say of a capture: how much it has left out, and how fast its clock runs."""

from __future__ import annotations

from collections import deque
from typing import Final

BUCKET_SECONDS: Final = 1.0
BASELINE_BUCKETS: Final = 10
"""Seconds whose least lateness is what is usual; a slow drift moves it along."""

CONFIRM_BUCKETS: Final = 3
"""Seconds for which sound must be late before it counts as lost: what is only late comes in a burst."""

LOSS_SECONDS: Final = 0.25
"""Less than this is not told from the jitter of delivery; devices flag such losses themselves."""

LONGEST_BACKLOG_SECONDS: Final = 15.0
"""No sound server keeps more for a reader who sleeps, so a longer pause is lost at once."""

DRIFT_SPAN_SECONDS: Final = 10.0
DRIFT_LEAST_SECONDS: Final = 60.0


class DropoutDetector:
    """Sound that a device left out without a word, from positions and when they arrived.

    Blocks come late by chance and never early, so the least lateness of a second tells where a stream
    stands. When it stays ``LOSS_SECONDS`` above the usual for ``CONFIRM_BUCKETS`` seconds, that much is
    missing.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._buckets: deque[float] = deque(maxlen=BASELINE_BUCKETS + CONFIRM_BUCKETS)
        self._least: float | None = None
        self._bucket_ends = 0.0
        self._last: float | None = None

    def add(self, position: int, now: float, length: int) -> int:
        """How many samples are missing before a block of ``length`` that ends at ``position``, come now."""
        late = now - position / self._rate
        silence = 0.0 if self._last is None else now - self._last - length / self._rate
        self._last = now
        if silence > LONGEST_BACKLOG_SECONDS:
            self._restart(late - silence, now)
            return round(silence * self._rate)
        if self._least is None:
            self._restart(late, now)
            return 0
        self._least = min(self._least, late)
        if now < self._bucket_ends:
            return 0
        self._buckets.append(self._least)
        self._least, self._bucket_ends = late, now + BUCKET_SECONDS
        if len(self._buckets) <= CONFIRM_BUCKETS:
            return 0
        usual = min(list(self._buckets)[:-CONFIRM_BUCKETS])
        missing = min(list(self._buckets)[-CONFIRM_BUCKETS:]) - usual
        if missing < LOSS_SECONDS:
            return 0
        self._restart(late - missing, now)
        return round(missing * self._rate)

    def is_late(self, now: float, length: int) -> bool:
        """Whether a block that arrives now comes so late that sound may be missing before it."""
        return self._last is not None and now - self._last - length / self._rate > LOSS_SECONDS

    def _restart(self, late: float, now: float) -> None:
        self._buckets.clear()
        self._least, self._bucket_ends = late, now + BUCKET_SECONDS


class ClockDriftEstimator:
    """How much faster than ours a device's clock runs, from positions and when they arrived.

    Of every ten seconds the least late block counts, and the drift is the slope from the first ten seconds
    to the last full ones.

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
