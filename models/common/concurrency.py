"""Run work on daemon threads, and compute pauses between attempts."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


def start_daemon_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Run work on a new daemon thread, so that the program can end while the work hangs.

    Parameters
    ----------
    work : callable
        Work, which may block.
    name : str
        Name of the thread.

    Returns
    -------
    Future
        Result of the work, or its exception.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # the work cannot be cancelled

    def body() -> None:
        try:
            result = work()
        except BaseException as error:  # raised again by ``future.result``
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=body, name=name, daemon=True).start()
    return future


def run_in_daemon_thread(
    work: Callable[[], T], discard: Callable[[T], object] = lambda _result: None
) -> asyncio.Future[T]:
    """Run blocking work for asyncio on a new daemon thread.

    With ``asyncio.to_thread``, the program could not end before the work.

    Parameters
    ----------
    work : callable
        Work, which may block.
    discard : callable
        Called on another thread with the result if the caller no longer waits for the result.
    """
    import asyncio  # here, so that a program without an event loop does not load asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(done: Future[T]) -> None:
        error = done.exception()
        if error is None and future.done():
            threading.Thread(target=discard, args=(done.result(),), name="background", daemon=True).start()
        elif error is None:
            future.set_result(done.result())
        elif not future.done():
            future.set_exception(error)

    def hand_over(done: Future[T]) -> None:
        try:
            loop.call_soon_threadsafe(settle, done)
        except RuntimeError:  # the loop is closed, so the caller no longer waits
            if done.exception() is None:
                discard(done.result())

    start_daemon_thread(work, "background").add_done_callback(hand_over)
    return future


def backoff_seconds(failures: int, first_seconds: float, max_seconds: float, jitter: float = 1.0) -> float:
    """Compute the pause after failed attempts. The pause doubles after each failure, up to a limit.

    Parameters
    ----------
    failures : int
        Failed attempts in a row, from 1.
    first_seconds : float
        Pause after the first failure.
    max_seconds : float
        Longest pause.
    jitter : float
        Random number in 0..1. 0 gives half of the pause, 1 the whole pause. Random pauses prevent many
        clients from returning at the same moment.
    """
    pause = min(first_seconds * 2.0 ** min(failures - 1, 30), max_seconds)
    return pause * (0.5 + 0.5 * jitter)


def parse_retry_after(header: str | None, unix_now: float) -> float | None:
    """Parse the HTTP header ``Retry-After``, which contains seconds or a date (RFC 9110, 10.2.3).

    Parameters
    ----------
    header : str or None
    unix_now : float
        Seconds since 1970, for dates.

    Returns
    -------
    float or None
        Seconds to wait, 0 if the date is past. None if the header is missing or invalid.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    from datetime import UTC  # here, so that users of the threads alone do not load these modules
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - unix_now)
