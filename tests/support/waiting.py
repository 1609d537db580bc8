"""Waiting for conditions that another thread, process or server brings about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_SECONDS = 0.02
"""Seconds between two evaluations of a condition. Polling without a pause would take a core."""


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds, and fail if it does not hold within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {seconds:g} s"
        time.sleep(POLL_SECONDS)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer than ``seconds``, without the time that the machine gave to others.

    Another thread sleeps again and again during the block. The time by which its sleeps are too long is the
    time that a busy machine kept this process waiting.
    """
    done = threading.Event()
    delays: list[float] = []

    def measure() -> None:
        ended = False
        while not ended:
            slept_from = time.monotonic()
            ended = done.wait(POLL_SECONDS)
            delays.append(max(0.0, time.monotonic() - slept_from - POLL_SECONDS))

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        done.set()
        thread.join()
    assert took - sum(delays) <= seconds, f"took {took:.2f} s, {sum(delays):.2f} s of them for the machine"
