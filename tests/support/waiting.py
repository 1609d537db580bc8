"""Waiting for conditions that another thread, process or server brings about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

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

    The kernel counts how long each thread waits for a core. The longest wait among the threads of this
    process and of its children is subtracted. Time in which the block computes or holds Python's lock counts
    as its own. Systems other than Linux have no such count, and the limit holds as it is.
    """
    began = time.monotonic()  # both counts lie within the time taken, or more could be subtracted than passed
    waits = _seconds_waited_for_a_core()
    yield
    waits_after = _seconds_waited_for_a_core()
    took = time.monotonic() - began
    waited = max((each - waits.get(thread, 0.0) for thread, each in waits_after.items()), default=0.0)
    assert took - waited <= seconds, f"took {took:.2f} s, {waited:.2f} s of them waiting for a core"


@contextmanager
def computes_at_most(seconds: float) -> Iterator[None]:
    """Fail if the calling thread computes for longer in the block. Waiting does not count.

    Nothing but the block itself counts, so the limit suits functions that only compute.
    """
    began = time.thread_time()
    yield
    took = time.thread_time() - began
    assert took <= seconds, f"computed for {took:.2f} s"


def _seconds_waited_for_a_core() -> dict[str, float]:
    """Return how long each thread was ready to run while others ran, from the kernel's ``schedstat``."""
    myself = psutil.Process()
    waits = {}
    for process in (myself, *myself.children(recursive=True)):
        for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # the thread has ended
                waits[path.parent.name] = int(path.read_text().split()[1]) / 1e9
    return waits
