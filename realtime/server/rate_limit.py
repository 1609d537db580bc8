"""Rate limits of clients and of log lines about rejected connections."""

from __future__ import annotations

from collections import Counter


class TokenBucket:
    """Lets ``burst`` through at once and ``per_second`` after that; time comes from outside.

    Parameters
    ----------
    burst : float
        How much fits.
    per_second : float
        How fast it fills again.
    now : float
        Seconds on any clock that only rises; the bucket begins full.
    """

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether that much may pass now; what may not pass costs nothing."""
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
        if amount > self._left:
            return False
        self._left -= amount
        return True


class RejectionLog:
    """Turns refusals into few lines: the first at once, then one for each span, with counts.

    Parameters
    ----------
    every_seconds : float
        The least time between two lines.
    """

    def __init__(self, every_seconds: float = 5.0) -> None:
        self._every_seconds = every_seconds
        self._untold: Counter[str] = Counter()
        self._told_at = float("-inf")

    def add(self, reason: str, now: float) -> str | None:
        """Count one; return the line to log, if it is time for one."""
        self._untold[reason] += 1
        return self.rest(now) if now - self._told_at >= self._every_seconds else None

    def rest(self, now: float) -> str | None:
        """What has been counted since the last line, if anything."""
        if not self._untold:
            return None
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self._untold.items()))
        line = f"connections refused or ended since the last such line: {self._untold.total()} ({counts})"
        self._untold.clear()
        self._told_at = now
        return line
