"""Virtual time for tests, which never wait."""

from __future__ import annotations

UNIX_OFFSET = 1_700_000_000.0
"""Unix seconds at second 0 of a virtual clock, which starts at second 100."""


class VirtualClock:
    """Clock that a test sets. ``sleep_until`` moves it and returns at once."""

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
