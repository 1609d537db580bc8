"""Virtual time: sleeping moves it, nothing waits."""

from __future__ import annotations

UNIX_OFFSET = 1_700_000_000.0


class VirtualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept_until: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def unix(self, monotonic: float) -> float:
        return UNIX_OFFSET + monotonic

    def sleep_until(self, monotonic: float) -> None:
        self.slept_until.append(monotonic)
        self.now = max(self.now, monotonic)
