"""A provider that may hang, raise or fail, made one that answers in time and is left alone while it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.background import (
    MARGIN_SECONDS,
    BackgroundProvider,
    Pending,
    log_failure,
    ready,
)
from dashboard.recommendations.providers.base import (
    Clock,
    Interim,
    ProviderResult,
    RemoteProvider,
    Status,
    ignore,
)
from dashboard.recommendations.providers.http_json import in_words
from models.common.concurrency import backoff_seconds

FIRST_BACKOFF_SECONDS: Final = 30.0
MAX_BACKOFF_SECONDS: Final = 600.0
SPREAD: Final = 0.25
"""How much longer a pause may be by chance, so that many do not come back together."""

LIMITED: Final = frozenset({Status.RATE_LIMITED, Status.QUOTA})
REFUSED: Final = frozenset({Status.AUTH, Status.FORBIDDEN, Status.PREMIUM})
HEALTHY: Final = frozenset({Status.OK, Status.EMPTY, Status.OFF})


@runtime_checkable
class QuotaGuard(RemoteProvider, Protocol):
    """A provider whose searches are few: it remembers, and keeps some back for a person's own clicks."""

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore, /
    ) -> ProviderResult:
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
    provider : RemoteProvider
    clock : Clock
    jitter : callable
        A number in 0..1 by chance.
    """

    def __init__(self, provider: RemoteProvider, clock: Clock, jitter: Callable[[], float]) -> None:
        self._provider = provider
        self._name = provider.name
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._background = BackgroundProvider(provider, clock)
        self._open: _Open | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """The provider's."""
        return self._name

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Ask the provider, or say why it is not asked."""
        return self.start(query, deadline).result()

    def search_for_person(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """As ``search``, for a person who clicked: what a provider keeps back for that may be used."""
        return self.start(query, deadline, for_person=True).result()

    def start(
        self, query: TrackQuery, deadline: float, *, for_person: bool = False
    ) -> Pending[ProviderResult]:
        """Begin a search; whoever takes its result tells the breaker of it."""
        with self._lock:
            held, failures = self._open, self._failures
        if held is not None and self._holds(held) and not (for_person and held.own_saving):
            return ready(self._remembered(query) or self._closed(held), self._clock)
        if deadline - MARGIN_SECONDS <= self._clock.monotonic():  # no fault of the provider
            return ready(ProviderResult(status=Status.TIMEOUT, detail="had no time to answer"), self._clock)

        def learn(result: ProviderResult) -> ProviderResult:
            with self._lock:
                self._learn(result, failures)
            return result

        provider = self._provider
        search = provider.search_for_person if for_person and isinstance(provider, QuotaGuard) else None
        return self._background.start(query, deadline, search).then(learn)

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
            log_failure(self._name, error)
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
