"""Planner of searches, which tracks exhausted pools and determines the next query to send."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboard.recommendations.domain.tracks import TrackQuery
from models.common.concurrency import backoff_seconds

MAX_BACKOFF_SECONDS = 600.0
"""Maximum time in seconds between two attempts at a query without results."""


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

    def is_exhausted(self, query: TrackQuery) -> bool:
        """Return whether no further songs are found for the query."""
        return self._pool(query).exhausted

    def next_query(self, query: TrackQuery, now: float) -> TrackQuery | None:
        """Return the query with the next offset, or None if it is running or exhausted."""
        pool = self._pool(query)
        if pool.exhausted:
            return None
        if pool.requested_at is not None:
            wait = backoff_seconds(pool.attempts, self._retry_seconds, MAX_BACKOFF_SECONDS)
            if now - pool.requested_at < wait:
                return None
        pool.requested_at = now
        pool.attempts = min(pool.attempts + 1, 10)
        return replace(query, offset=pool.offset)

    def is_pending(self, query: TrackQuery, now: float) -> bool:
        """Return whether songs may arrive soon, because the query is running or about to be sent."""
        pool = self._pool(query)
        if pool.exhausted:
            return False
        if pool.needed_at is None:
            pool.needed_at = now
        since = pool.needed_at if pool.requested_at is None or pool.attempts > 1 else pool.requested_at
        return now - since < self._patience_seconds

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
