"""Time from outside, so that tests and files can bring their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds for latency, Unix seconds for people."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def unix(self, monotonic: float) -> float:
        """Unix seconds of a moment given in ``monotonic`` seconds."""
        ...

    def sleep_until(self, monotonic: float) -> None:
        """Return at that moment, or at once when it is past."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()

    def unix(self, monotonic: float) -> float:
        """Unix seconds by the offset of now, so that a set clock is followed."""
        return time.time() - time.monotonic() + monotonic

    def sleep_until(self, monotonic: float) -> None:
        """Sleep; a moment that has passed costs nothing."""
        time.sleep(max(0.0, monotonic - time.monotonic()))
