"""Time from outside, so that tests and files can bring their own."""

from __future__ import annotations

import time
from typing import Final, Protocol


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


_BOOT_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""One that goes on while the machine sleeps: Linux's, macOS's; on Windows ``time.monotonic`` does."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds since the machine was started, those included in which it slept."""
        return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)

    def unix(self, monotonic: float) -> float:
        """Unix seconds by the offset of now, so that a set clock is followed."""
        return time.time() - self.monotonic() + monotonic

    def sleep_until(self, monotonic: float) -> None:
        """Sleep; a moment that has passed costs nothing."""
        time.sleep(max(0.0, monotonic - self.monotonic()))
