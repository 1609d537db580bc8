"""Planner of searches, which tracks exhausted pools and determines the next query to send."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboard.recommendations.domain.tracks import TrackQuery, relax
from models.common.concurrency import backoff_seconds

MAX_BACKOFF_SECONDS = 600.0
"""Maximum time in seconds between two attempts at a query without results."""


def relaxation_chain(query: TrackQuery) -> tuple[TrackQuery, ...]:
    """Return the query and its relaxations in order: any language first, then older songs."""
    queries = [query]
    while (further := relax(queries[-1])) is not None:
        queries.append(further[0])
    return tuple(queries)


@dataclass(slots=True)
class _Pool:
    """State of the searches for one query."""

    offset: int = 0
    exhausted: bool = False
    needed_at: float | None = None
    requested_at: float | None = None
    attempts: int = 0
    restarts: bool = False
    """True if the pool starts again when it is exhausted, because songs of it have expired."""


class RefillPlanner:
    """Planner of queries, with a pool for each genre, language and range.

    Parameters
    ----------
    retry_seconds : float
        Seconds after which a query without results is repeated. They double with every attempt, up to
        ``MAX_BACKOFF_SECONDS``.
    patience_seconds : float
        Seconds for which slots are kept free for the songs of a query.
    """

    def __init__(self, retry_seconds: float, patience_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._patience_seconds = patience_seconds
        self._pools: dict[TrackQuery, _Pool] = {}

    def _pool(self, query: TrackQuery) -> _Pool:
        return self._pools.setdefault(replace(query, offset=0), _Pool())

    def active_queries(self, query: TrackQuery) -> tuple[TrackQuery, ...]:
        """Return the query with its relaxations up to the first one whose pool is not exhausted."""
        queries = relaxation_chain(query)
        for number, each in enumerate(queries, start=1):
            if not self._pool(each).exhausted:
                return queries[:number]
        return queries

    def is_exhausted(self, query: TrackQuery) -> bool:
        """Return whether the query and all of its relaxations are exhausted."""
        return self._pool(self.active_queries(query)[-1]).exhausted

    def next_query(self, query: TrackQuery, now: float) -> TrackQuery | None:
        """Return the query to send, or None if it is running or everything is exhausted."""
        last = self.active_queries(query)[-1]
        pool = self._pool(last)
        if pool.exhausted:
            return None
        if pool.requested_at is not None:
            wait = backoff_seconds(pool.attempts, self._retry_seconds, MAX_BACKOFF_SECONDS)
            if now - pool.requested_at < wait:
                return None
        pool.requested_at = now
        pool.attempts = min(pool.attempts + 1, 10)
        return replace(last, offset=pool.offset)

    def is_pending(self, query: TrackQuery, now: float) -> bool:
        """Return whether songs may arrive soon, because a query is running or about to be sent."""
        pool = self._pool(self.active_queries(query)[-1])
        if pool.exhausted:
            return False
        if pool.needed_at is None:
            pool.needed_at = now
        since = pool.needed_at if pool.requested_at is None or pool.attempts > 1 else pool.requested_at
        return now - since < self._patience_seconds

    def is_overdue(self, query: TrackQuery, now: float) -> bool:
        """Return whether a query got no results in time, which means that the providers have a fault."""
        pool = self._pool(self.active_queries(query)[-1])
        return pool.requested_at is not None and not self.is_pending(query, now)

    def restart(self, genre: str) -> None:
        """Restart the pools of a genre when they are exhausted, because songs of the genre have expired."""
        for query, pool in self._pools.items():
            if query.genre == genre:
                pool.restarts = True
                self._restart_if_exhausted(query, pool)

    def record_results(self, query: TrackQuery, found: int) -> None:
        """Record the number of songs found. Fewer than half of the limit mean that the pool is exhausted.

        The caller must not record a search that failed and will be repeated soon.
        """
        pool = self._pool(query)
        pool.offset = query.offset + query.limit
        pool.exhausted = found < max(1, query.limit // 2)
        pool.requested_at, pool.needed_at, pool.attempts = None, None, 0
        self._restart_if_exhausted(query, pool)

    def _restart_if_exhausted(self, query: TrackQuery, pool: _Pool) -> None:
        if pool.exhausted and pool.restarts:
            self._pools[replace(query, offset=0)] = _Pool()
