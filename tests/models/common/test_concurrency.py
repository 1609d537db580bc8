"""Threads that may hang, backoff and Retry-After."""

from __future__ import annotations

import asyncio
import queue
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.concurrency import (
    backoff_seconds,
    parse_retry_after,
    run_in_daemon_thread,
    start_daemon_thread,
)


def test_work_runs_on_a_daemon_thread() -> None:
    thread = start_daemon_thread(threading.current_thread, "work").result(10)
    assert (thread.name, thread.daemon) == ("work", True)


def test_what_the_work_raises_is_handed_on() -> None:
    assert isinstance(start_daemon_thread(lambda: 1 // 0, "work").exception(10), ZeroDivisionError)


@pytest.mark.parametrize("seconds", [0.01, 0])
def test_work_that_hangs_is_left_behind(seconds: float) -> None:
    release = threading.Event()
    future = start_daemon_thread(release.wait, "work")
    with pytest.raises(TimeoutError):
        future.result(seconds)
    release.set()


def test_work_that_has_begun_cannot_be_cancelled() -> None:
    release = threading.Event()
    future = start_daemon_thread(release.wait, "work")
    assert not future.cancel()
    release.set()
    assert future.result(10)


def test_asyncio_gets_result_and_exception() -> None:
    async def scenario() -> None:
        assert await run_in_daemon_thread(lambda: 3) == 3
        with pytest.raises(ZeroDivisionError):
            await run_in_daemon_thread(lambda: 1 // 0)

    asyncio.run(scenario())


def test_a_result_that_nobody_waits_for_is_discarded() -> None:
    """Either the waiting task is cancelled first, or the event loop has ended."""
    release, discarded = threading.Event(), queue.SimpleQueue[str]()

    def work() -> str:
        release.wait(10)
        return threading.current_thread().name

    async def cancelled() -> None:
        future = run_in_daemon_thread(work, discarded.put)
        future.cancel()
        release.set()
        await asyncio.to_thread(lambda: discarded.put(discarded.get(timeout=10)))

    asyncio.run(cancelled())
    assert discarded.get(timeout=10) == "background"
    release.clear()

    async def left() -> None:
        run_in_daemon_thread(work, discarded.put)

    asyncio.run(left())
    release.set()
    assert discarded.get(timeout=10) == "background"


def test_pauses_double_up_to_a_limit() -> None:
    assert [backoff_seconds(failures, 0.25, 3) for failures in range(1, 7)] == [0.25, 0.5, 1, 2, 3, 3]
    assert [backoff_seconds(3, 1, 60, jitter) for jitter in (0, 0.5, 1)] == [2, 3, 4]
    assert backoff_seconds(10**9, 1, 60) == 60


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_half_to_all_of_a_pause_is_left(failures: int, jitter: float) -> None:
    longest = backoff_seconds(failures, 0.5, 30)
    assert longest / 2 <= backoff_seconds(failures, 0.5, 30, jitter) <= longest


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("0", 0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 60),
        ("Thu, 01 Jan 1970 01:01:40 +0100", 60),
        ("Thu, 01 Jan 1970 00:01:40 -0000", 60),  # such a date is without a time zone in Python
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("9" * 30, 1e30),
        ("9" * 5000, None),
        ("1.5", None),
        ("1e9", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
        ("Fri, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, 40.0) == seconds


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_any_http_date_is_read(date: datetime) -> None:
    date = date.replace(microsecond=0, tzinfo=UTC)
    header = date.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert parse_retry_after(header, 0.0) == date.timestamp()


@given(st.text(max_size=40))
def test_no_header_raises(header: str) -> None:
    seconds = parse_retry_after(header, 0.0)
    assert seconds is None or seconds >= 0
