"""Provider searches on background threads that are abandoned at their deadline."""

from __future__ import annotations

import logging
import math
import threading
import traceback
from collections.abc import Callable, Collection
from concurrent import futures
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeAlias, TypeVar

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, RemoteProvider, Status
from models.common.concurrency import start_daemon_thread

MARGIN_SECONDS: Final = 0.03
"""Seconds before the deadline at which a search is abandoned, so that its result still arrives in time."""

MAX_ABANDONED: Final = 4
"""Searches of one provider that may still run after their deadline. While this many run, no search starts."""

LATE: Final = ProviderResult(status=Status.TIMEOUT, detail="did not answer in time")
"""Result of a search without songs before its deadline."""
HANGING: Final = ProviderResult(status=Status.TIMEOUT, detail="still hangs in earlier searches")
"""Result while ``MAX_ABANDONED`` searches still run."""

T = TypeVar("T")
U = TypeVar("U")

log = logging.getLogger(__name__)


class Pending(Generic[T]):
    """Value that other threads compute and that is available by a deadline.

    Parameters
    ----------
    work : collection of Future
        Computations that the value depends on.
    deadline : float
        Time of the clock in seconds.
    clock : Clock
    finish : callable
        Returns the value from the computations that are done by the deadline. ``result`` calls this once.
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
        """Wait for the value for at most ``seconds`` and return True if it is available."""
        remaining = min(seconds, self._deadline - self._clock.monotonic())
        unfinished = futures.wait(self.work, max(0.0, remaining)).not_done
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
    """Return a value that is already available as a pending value."""
    return Pending((), -math.inf, clock, lambda: value)


Search: TypeAlias = Callable[[TrackQuery, float, Interim], ProviderResult]
"""Function with the parameters of ``RemoteProvider.search``: query, deadline and interim."""


class BackgroundProvider:
    """Provider whose searches never raise and always end by their deadline. Thread-safe.

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
        """Return the result before the deadline. The result of a late provider is its last interim result."""
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
            A search of the provider to run instead of its ``search``.
        """
        end = deadline - MARGIN_SECONDS
        if end <= self._clock.monotonic():
            return ready(ProviderResult(status=Status.TIMEOUT, detail="had no time to answer"), self._clock)
        if self._count_abandoned() >= MAX_ABANDONED:
            return ready(HANGING, self._clock)
        interim_results = [LATE]

        def work() -> ProviderResult:
            try:
                return (search or self._provider.search)(query, deadline, interim_results.append)
            except Exception as error:
                log_failure(self.name, error)
                return ProviderResult(status=Status.BAD_ANSWER, detail="failed unexpectedly")

        future = start_daemon_thread(work, f"song-search-{self.name}")
        with self._lock:
            self._running.append((future, end))
        return Pending(
            (future,), end, self._clock, lambda: future.result() if future.done() else interim_results[-1]
        )

    def _count_abandoned(self) -> int:
        """Count the searches that still run after their deadline."""
        now = self._clock.monotonic()
        with self._lock:
            self._running = [(future, end) for future, end in self._running if not future.done()]
            return sum(end <= now for _, end in self._running)


def log_failure(name: str, error: Exception) -> None:
    """Log type and location of an error, but not its message, which may hold a request with a key."""
    places = traceback.extract_tb(error.__traceback__)
    place = f"{places[-1].filename}:{places[-1].lineno}" if places else "an unknown place"
    log.warning("%s failed: %s at %s", name, type(error).__name__, place)
