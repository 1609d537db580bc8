"""Run a provider's searches on threads of their own, and leave behind those that outlive their deadline."""

from __future__ import annotations

import logging
import math
import threading
import traceback
from collections.abc import Callable, Collection
from concurrent import futures
from concurrent.futures import Future
from typing import Any, Final, Generic, Protocol, TypeVar

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, RemoteProvider, Status
from models.common.concurrency import start_daemon_thread

MARGIN_SECONDS: Final = 0.03
"""Time before the deadline at which a search is given up, so that its result still is in time."""

MAX_ABANDONED: Final = 4
"""Searches of one provider that may run after their deadlines; while there are so many, none is begun."""

LATE: Final = ProviderResult(status=Status.TIMEOUT, detail="did not answer in time")
HANGING: Final = ProviderResult(status=Status.TIMEOUT, detail="still hangs in earlier searches")

T = TypeVar("T")
U = TypeVar("U")

log = logging.getLogger(__name__)


class Pending(Generic[T]):
    """A value that other threads work at, and that is there at a deadline at the latest.

    Parameters
    ----------
    work : collection of Future
        What the value is made of.
    deadline : float
        Seconds of the clock.
    clock : Clock
    finish : callable
        Makes the value of what is done by then; called once, on the thread that wants the value.
    """

    def __init__(
        self, work: Collection[Future[Any]], deadline: float, clock: Clock, finish: Callable[[], T]
    ) -> None:
        self.work = work
        self._deadline = deadline
        self._clock = clock
        self._finish = finish
        self._value: list[T] = []

    def wait(self, seconds: float) -> bool:
        """Wait for the value, at most so long; tell whether it is there."""
        left = min(seconds, self._deadline - self._clock.monotonic())
        unfinished = futures.wait(self.work, max(0.0, left)).not_done
        return not unfinished or self._clock.monotonic() >= self._deadline

    def result(self) -> T:
        """Wait for the value and return it."""
        if not self._value:
            self.wait(math.inf)
            self._value.append(self._finish())
        return self._value[0]

    def then(self, change: Callable[[T], U]) -> Pending[U]:
        """Return the pending value of a function of this value."""
        return Pending(self.work, self._deadline, self._clock, lambda: change(self.result()))


def ready(value: T, clock: Clock) -> Pending[T]:
    """Return a value that is there already as a pending one."""
    return Pending((), -math.inf, clock, lambda: value)


class Search(Protocol):
    """A provider's search, as ``RemoteProvider.search``."""

    def __call__(self, query: TrackQuery, deadline: float, interim: Interim, /) -> ProviderResult:
        """Answer."""
        ...


class BackgroundProvider:
    """A provider whose searches never raise and never outlive their deadline. Any thread may call.

    Parameters
    ----------
    provider : RemoteProvider
    clock : Clock
    """

    def __init__(self, provider: RemoteProvider, clock: Clock) -> None:
        self.name = provider.name
        self._provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._running: list[tuple[Future[ProviderResult], float]] = []  # with the ends of their deadlines

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Answer before the deadline, with what was found until then if the provider is late."""
        return self.start(query, deadline).result()

    def start(
        self, query: TrackQuery, deadline: float, search: Search | None = None
    ) -> Pending[ProviderResult]:
        """Start a search on a daemon thread.

        Parameters
        ----------
        query : TrackQuery
        deadline : float
            Seconds of the clock.
        search : callable, optional
            Another search of the provider.
        """
        end = deadline - MARGIN_SECONDS
        if end <= self._clock.monotonic():
            return ready(ProviderResult(status=Status.TIMEOUT, detail="had no time to answer"), self._clock)
        if self._abandoned() >= MAX_ABANDONED:
            return ready(HANGING, self._clock)
        so_far = [LATE]

        def work() -> ProviderResult:
            try:
                return (search or self._provider.search)(query, deadline, so_far.append)
            except Exception as error:
                log_failure(self.name, error)
                return ProviderResult(status=Status.BAD_ANSWER, detail="failed in a way that nobody foresaw")

        future = start_daemon_thread(work, f"songs of {self.name}")
        with self._lock:
            self._running.append((future, end))
        return Pending((future,), end, self._clock, lambda: future.result() if future.done() else so_far[-1])

    def _abandoned(self) -> int:
        """Count the searches that still run after their deadline."""
        now = self._clock.monotonic()
        with self._lock:
            self._running = [(future, end) for future, end in self._running if not future.done()]
            return sum(end <= now for _, end in self._running)


def log_failure(name: str, error: Exception) -> None:
    """Log type and place of an error; its message may hold a request with a key."""
    places = traceback.extract_tb(error.__traceback__)
    place = f"{places[-1].filename}:{places[-1].lineno}" if places else "an unknown place"
    log.warning("%s failed: %s at %s", name, type(error).__name__, place)
