"""Rate limits of clients and of log lines about rejected connections."""

from __future__ import annotations

from collections import Counter


class TokenBucket:
    """Rate limit that allows ``burst`` at once and ``per_second`` after that. The caller passes the time.

    Parameters
    ----------
    burst : float
        Capacity. The bucket is full at the beginning.
    per_second : float
        Rate at which the bucket is refilled.
    now : float
        Seconds on a monotonic clock.
    """

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._available = burst
        self._updated_at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take an amount from the bucket. Return False, and take nothing, if too little is available."""
        elapsed = max(0.0, now - self._updated_at)
        self._available = min(self._burst, self._available + elapsed * self._per_second)
        self._updated_at = max(self._updated_at, now)
        if amount > self._available:
            return False
        self._available -= amount
        return True


class RejectionLog:
    """Summary of rejected connections in few log lines.

    The first rejection is reported at once. Later rejections are counted and reported together.

    Parameters
    ----------
    interval_seconds : float
        Minimum time between two lines.
    """

    def __init__(self, interval_seconds: float = 5.0) -> None:
        self._interval_seconds = interval_seconds
        self._unreported: Counter[str] = Counter()
        self._reported_at = float("-inf")

    def add(self, reason: str, now: float) -> str | None:
        """Count a rejection.

        Returns
        -------
        str or None
            Line to log. None if less than ``interval_seconds`` have passed since the last line.
        """
        self._unreported[reason] += 1
        return self.flush(now) if now - self._reported_at >= self._interval_seconds else None

    def flush(self, now: float) -> str | None:
        """Return a line with the rejections since the last line, or None if there were none."""
        if not self._unreported:
            return None
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self._unreported.items()))
        line = f"connections rejected or closed since the last report: {self._unreported.total()} ({counts})"
        self._unreported.clear()
        self._reported_at = now
        return line
