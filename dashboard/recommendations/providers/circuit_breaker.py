"""A provider that may hang, raise or fail, made one that answers in time and is left alone while it fails."""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.base import Clock, ProviderResult, SongProvider, Status
from dashboard.recommendations.providers.http_json import in_words
from models.common.concurrency import backoff_seconds

FIRST_BACKOFF_SECONDS: Final = 30.0
MAX_BACKOFF_SECONDS: Final = 600.0
SPREAD: Final = 0.25
"""How much longer a pause may be by chance, so that many do not come back together."""

MARGIN_SECONDS: Final = 0.03
"""How long before the deadline a provider is given up, so that the answer still is in time."""

ABANDONED: Final = 4
"""Searches that may hang at once, with nobody waiting for them any more."""

LIMITED: Final = frozenset({Status.RATE_LIMITED, Status.QUOTA})
REFUSED: Final = frozenset({Status.AUTH, Status.FORBIDDEN, Status.PREMIUM})
HEALTHY: Final = frozenset({Status.OK, Status.EMPTY, Status.OFF})

log = logging.getLogger(__name__)


@runtime_checkable
class QuotaGuard(SongProvider, Protocol):
    """A provider whose searches are few: it remembers, and keeps some back for a person's own clicks."""

    def search_for_person(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """As ``search``, with what is kept back."""
        ...

    def remembered(self, query: TrackQuery) -> ProviderResult | None:
        """What can be answered without asking anybody; at once."""
        ...


@dataclass(frozen=True, slots=True)
class _Open:
    """Why and until when a provider is not asked; None stands for until the program is started again."""

    status: Status
    detail: str
    retry_at: datetime | None
    until: float | None
    own_saving: bool
    """The provider held back without asking anybody: a person's click may pass."""


class CircuitBreaker:
    """A provider that is not asked while it fails, and never outlives a deadline. Any thread may call.

    Parameters
    ----------
    provider : Provider
    clock : Clock
    jitter : callable
        A number in 0..1 by chance.
    """

    def __init__(self, provider: SongProvider, clock: Clock, jitter: Callable[[], float]) -> None:
        self._provider = provider
        self._name = provider.name
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(ABANDONED)
        self._open: _Open | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """The provider's."""
        return self._name

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Ask the provider, or say why it is not asked."""
        return self._search(query, deadline, self._provider.search, by_person=False)

    def search_for_person(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """As ``search``, for a person who clicked: what a provider keeps back for that may be used."""
        provider = self._provider
        ask = provider.search_for_person if isinstance(provider, QuotaGuard) else provider.search
        return self._search(query, deadline, ask, by_person=True)

    def _search(
        self,
        query: TrackQuery,
        deadline: float,
        ask: Callable[[TrackQuery, float], ProviderResult],
        by_person: bool,
    ) -> ProviderResult:
        with self._lock:
            held, failures = self._open, self._failures
        if held is not None and self._holds(held) and not (by_person and held.own_saving):
            return self._remembered(query) or self._closed(held)
        if deadline - MARGIN_SECONDS <= self._clock.monotonic():  # no fault of the provider
            return ProviderResult(status=Status.TIMEOUT, detail="had no time to answer")
        result = self._in_time(ask, query, deadline)
        with self._lock:
            self._learn(result, failures)
        return result

    def _holds(self, held: _Open) -> bool:
        """Whether it still is too early; either clock may end it, for one stands while a laptop sleeps."""
        if held.until is None:
            return True
        late = held.retry_at is not None and self._clock.now() >= held.retry_at
        return not late and self._clock.monotonic() < held.until

    def _closed(self, held: _Open) -> ProviderResult:
        if held.until is None:
            when = "it is not asked again before a restart"
        else:
            when = f"it is asked again in {in_words(held.until - self._clock.monotonic())}"
        reason = held.detail.split(";")[0].rstrip(".")
        return ProviderResult(status=held.status, retry_at=held.retry_at, detail=f"{reason}; {when}")

    def _remembered(self, query: TrackQuery) -> ProviderResult | None:
        if not isinstance(self._provider, QuotaGuard):
            return None
        try:
            return self._provider.remembered(query)
        except Exception as error:
            self._tell(error)
            return None

    def _learn(self, result: ProviderResult, failures: int) -> None:
        """Open or close; ``failures`` were known when the search began."""
        if result.status in HEALTHY:
            if not result.from_cache:
                self._open, self._failures = None, 0
            return
        now, retry_at, pause = self._clock.now(), result.retry_at, None
        if result.status in REFUSED:
            retry_at = None
        elif result.status in LIMITED and retry_at is not None:
            pause = (retry_at - now).total_seconds()
        else:
            if failures == self._failures:  # else a search beside this one has counted it
                self._failures += 1
            pause = backoff_seconds(self._failures, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
            pause *= 1 + SPREAD * self._jitter()
            retry_at = now + timedelta(seconds=pause)
        until = None if pause is None else self._clock.monotonic() + pause
        thrifty = isinstance(self._provider, QuotaGuard)
        saving = thrifty and result.status is Status.QUOTA and result.calls == 0
        self._open = _Open(result.status, result.detail or "failed", retry_at, until, saving)

    def _in_time(
        self, ask: Callable[[TrackQuery, float], ProviderResult], query: TrackQuery, deadline: float
    ) -> ProviderResult:
        """Ask on a daemon thread, which is left behind when it is late."""
        if not self._free.acquire(blocking=False):
            return ProviderResult(status=Status.TIMEOUT, detail="still hangs in earlier searches")
        results: queue.SimpleQueue[ProviderResult] = queue.SimpleQueue()

        def work() -> None:
            try:
                results.put(self._answer(ask, query, deadline))
            finally:
                self._free.release()

        threading.Thread(target=work, name=f"songs of {self._name}", daemon=True).start()
        try:
            seconds = deadline - MARGIN_SECONDS - self._clock.monotonic()
            return results.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return ProviderResult(status=Status.TIMEOUT, detail="did not answer in time")

    def _answer(
        self, ask: Callable[[TrackQuery, float], ProviderResult], query: TrackQuery, deadline: float
    ) -> ProviderResult:
        try:
            return ask(query, deadline)
        except Exception as error:
            self._tell(error)
            return ProviderResult(status=Status.BAD_ANSWER, detail="failed in a way that nobody foresaw")

    def _tell(self, error: Exception) -> None:
        """Kind and place only: the words of an error may hold a request with its key."""
        places = traceback.extract_tb(error.__traceback__)
        place = f"{places[-1].filename}:{places[-1].lineno}" if places else "an unknown place"
        log.warning("%s failed: %s at %s", self._name, type(error).__name__, place)
