"""Circuit breaker for song providers, which pauses requests while a provider fails."""

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
from dashboard.recommendations.providers.http_json import format_duration
from models.common.concurrency import backoff_seconds

FIRST_BACKOFF_SECONDS: Final = 30.0
"""Seconds of the pause after the first failure. Each further failure doubles the pause."""
MAX_BACKOFF_SECONDS: Final = 600.0
"""Longest pause in seconds after failures."""
MAX_JITTER_SHARE: Final = 0.25
"""Largest random extension of a pause as a share of it, so that clients do not retry at the same moment."""

LIMITED: Final = frozenset({Status.RATE_LIMITED, Status.QUOTA})
"""Outcomes after which the pause lasts until ``retry_at``."""
REFUSED: Final = frozenset({Status.AUTH, Status.FORBIDDEN, Status.PREMIUM})
"""Outcomes after which the pause lasts until the program restarts."""
HEALTHY: Final = frozenset({Status.OK, Status.EMPTY, Status.OFF})
"""Outcomes that end a pause."""


@runtime_checkable
class QuotaGuard(RemoteProvider, Protocol):
    """Provider with a small quota, which caches results and reserves searches for the user's clicks."""

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore, /
    ) -> ProviderResult:
        """Search like ``search``. The search may use the reserved part of the quota."""
        ...

    def cached_result(self, query: TrackQuery) -> ProviderResult | None:
        """Return a cached result without sending a request, or None if no result is cached."""
        ...


@dataclass(frozen=True, slots=True)
class _OpenState:
    """Reason and end of a pause. Without ``until`` the pause lasts until the program restarts."""

    status: Status
    detail: str
    retry_at: datetime | None
    until: float | None
    self_imposed: bool
    """True if the provider sent no request in order to spare its quota. Clicks of the user still pass."""


class CircuitBreaker:
    """Provider that receives no requests while it fails. Searches end by their deadline. Thread-safe.

    Parameters
    ----------
    provider : RemoteProvider
    clock : Clock
    jitter : callable
        Returns a random number in 0..1.
    """

    def __init__(self, provider: RemoteProvider, clock: Clock, jitter: Callable[[], float]) -> None:
        self._provider = provider
        self._name = provider.name
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._background = BackgroundProvider(provider, clock)
        self._open: _OpenState | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """Name of the wrapped provider."""
        return self._name

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Search with the provider, or return the reason why no request is sent."""
        return self.start(query, deadline).result()

    def search_for_person(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Search like ``search`` for a click of the user, which may use the reserved part of the quota."""
        return self.start(query, deadline, for_person=True).result()

    def start(
        self, query: TrackQuery, deadline: float, *, for_person: bool = False
    ) -> Pending[ProviderResult]:
        """Start a search. The first call of ``result`` updates the breaker."""
        with self._lock:
            state, failures = self._open, self._failures
        if state is not None and self._is_open(state) and not (for_person and state.self_imposed):
            return ready(self._cached_result(query) or self._rejection(state), self._clock)
        if deadline - MARGIN_SECONDS <= self._clock.monotonic():  # not the provider's fault
            return ready(ProviderResult(status=Status.TIMEOUT, detail="had no time to answer"), self._clock)

        def record(result: ProviderResult) -> ProviderResult:
            with self._lock:
                self._record(result, failures)
            return result

        provider = self._provider
        search = provider.search_for_person if for_person and isinstance(provider, QuotaGuard) else None
        return self._background.start(query, deadline, search).then(record)

    def _is_open(self, state: _OpenState) -> bool:
        """Return True if the pause has not ended.

        Either clock may end it, since the monotonic clock stops while a laptop sleeps.
        """
        if state.until is None:
            return True
        late = state.retry_at is not None and self._clock.now() >= state.retry_at
        return not late and self._clock.monotonic() < state.until

    def _rejection(self, state: _OpenState) -> ProviderResult:
        if state.until is None:
            retry_text = "there is no further request before a restart"
        else:
            retry_text = f"the next request is in {format_duration(state.until - self._clock.monotonic())}"
        reason = state.detail.split(";")[0]
        return ProviderResult(status=state.status, retry_at=state.retry_at, detail=f"{reason}; {retry_text}")

    def _cached_result(self, query: TrackQuery) -> ProviderResult | None:
        if not isinstance(self._provider, QuotaGuard):
            return None
        try:
            return self._provider.cached_result(query)
        except Exception as error:
            log_failure(self._name, error)
            return None

    def _record(self, result: ProviderResult, failures: int) -> None:
        """Open or close the breaker. ``failures`` is the failure count when the search started."""
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
            if failures == self._failures:  # else a concurrent search has already counted it
                self._failures += 1
            pause = backoff_seconds(self._failures, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
            pause *= 1 + MAX_JITTER_SHARE * self._jitter()
            retry_at = now + timedelta(seconds=pause)
        until = None if pause is None else self._clock.monotonic() + pause
        guarded = isinstance(self._provider, QuotaGuard)
        self_imposed = guarded and result.status is Status.QUOTA and result.calls == 0
        self._open = _OpenState(result.status, result.detail or "failed", retry_at, until, self_imposed)
