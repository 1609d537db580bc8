"""Work that blocks, on threads which need not end for the program to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


def on_thread(
    work: Callable[[], T], discard: Callable[[T], object] = lambda _result: None
) -> asyncio.Future[T]:
    """Run on a daemon thread of its own, unlike ``asyncio.to_thread``, whose threads Python waits for.

    Parameters
    ----------
    work : callable
        May block for as long as it likes.
    discard : callable
        Takes, on a thread too, the result for which nobody waits any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if error is None and future.done():
            _start(lambda: discard(cast(T, result)))  # which may block, too
        elif error is None:
            future.set_result(cast(T, result))
        elif not future.done():
            future.set_exception(error)

    def body() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as raised:  # handed on to whoever waits
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            if error is None:
                discard(cast(T, result))

    _start(body)
    return future


def _start(work: Callable[[], object]) -> None:
    threading.Thread(target=work, name="background", daemon=True).start()
