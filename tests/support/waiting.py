"""Waiting for conditions that another thread, process or server brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.02
"""Seconds between two evaluations of a condition. Polling without a pause would take a core."""


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds, and fail if it does not hold within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {seconds:g} s"
        time.sleep(POLL_SECONDS)
