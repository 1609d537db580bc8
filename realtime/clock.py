"""Clock interface and system clock. Code takes a clock as a parameter, so that tests can control the time."""

from __future__ import annotations

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Source of time: monotonic seconds for latencies and Unix seconds for people."""

    def monotonic(self) -> float:
        """Return the seconds since a fixed moment. They never decrease."""
        ...

    def unix(self, monotonic: float) -> float:
        """Convert a moment from ``monotonic`` seconds to Unix seconds."""
        ...

    def sleep_until(self, monotonic: float) -> None:
        """Return at a moment in ``monotonic`` seconds, or at once if the moment is past."""
        ...


_BOOT_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Clock of Linux or macOS that continues while the machine sleeps.

None on Windows, where ``time.monotonic`` itself continues.
"""


class SystemClock:
    """Clock of the operating system."""

    def monotonic(self) -> float:
        """Return the seconds since the machine was started, including those in which it slept."""
        return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)

    def unix(self, monotonic: float) -> float:
        """Convert a moment to Unix seconds by the present offset, which follows the system time."""
        return time.time() - self.monotonic() + monotonic

    def sleep_until(self, monotonic: float) -> None:
        """Sleep until a moment, or return at once if it is past."""
        time.sleep(max(0.0, monotonic - self.monotonic()))


def unix_now(clock: Clock) -> float:
    """Return the present moment of a clock in Unix seconds."""
    return clock.unix(clock.monotonic())
