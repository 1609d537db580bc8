"""Which pools were asked for, which are used up, and what to ask next. It counts; it fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboard.recommendations.domain.tracks import TrackQuery, relax
from models.common.concurrency import backoff_seconds

MAX_BACKOFF_SECONDS = 600.0


def relaxation_chain(query: TrackQuery) -> tuple[TrackQuery, ...]:
    """The query and everything it may be widened to: other languages, then older songs."""
    queries = [query]
    while (further := relax(queries[-1])) is not None:
        queries.append(further[0])
    return tuple(queries)


@dataclass(slots=True)
class _Pool:
    offset: int = 0
    used_up: bool = False
    wanted_at: float | None = None
    asked_at: float | None = None
    attempts: int = 0
    again: bool = False
    """It begins anew when it is used up: songs of it were forgotten."""


class RefillPlanner:
    """Books about pools, one for each genre, language and range.

    Parameters
    ----------
    retry_seconds : float
        After it a query without an answer is asked again; twice as long every time, at most 600 s.
    patience_seconds : float
        How long places are kept free for the songs of a query.
    """

    def __init__(self, retry_seconds: float, patience_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._patience_seconds = patience_seconds
        self._pools: dict[TrackQuery, _Pool] = {}

    def _pool(self, query: TrackQuery) -> _Pool:
        return self._pools.setdefault(replace(query, offset=0), _Pool())

    def open_to(self, query: TrackQuery) -> tuple[TrackQuery, ...]:
        """What songs may pass now: the query, and what it was widened to since pools were used up."""
        queries = relaxation_chain(query)
        for number, one in enumerate(queries, start=1):
            if not self._pool(one).used_up:
                return queries[:number]
        return queries

    def ended(self, query: TrackQuery) -> bool:
        """Whether it and all that is wider is used up."""
        return self._pool(self.open_to(query)[-1]).used_up

    def next(self, query: TrackQuery, now: float) -> TrackQuery | None:
        """What to ask for; None when it is being asked or there is nothing left to ask."""
        last = self.open_to(query)[-1]
        pool = self._pool(last)
        if pool.used_up:
            return None
        if pool.asked_at is not None:
            wait = backoff_seconds(pool.attempts, self._retry_seconds, MAX_BACKOFF_SECONDS)
            if now - pool.asked_at < wait:
                return None
        pool.asked_at = now
        pool.attempts = min(pool.attempts + 1, 10)
        return replace(last, offset=pool.offset)

    def waiting(self, query: TrackQuery, now: float) -> bool:
        """Whether songs may come soon: a query is, or is about to be, on its way."""
        pool = self._pool(self.open_to(query)[-1])
        if pool.used_up:
            return False
        if pool.wanted_at is None:
            pool.wanted_at = now
        since = pool.wanted_at if pool.asked_at is None or pool.attempts > 1 else pool.asked_at
        return now - since < self._patience_seconds

    def overdue(self, query: TrackQuery, now: float) -> bool:
        """Whether an answer does not come although it was asked for: whoever knows songs has a fault."""
        pool = self._pool(self.open_to(query)[-1])
        return pool.asked_at is not None and not self.waiting(query, now)

    def begin_again(self, genre: str) -> None:
        """Songs of the genre were forgotten: what is used up, or will be, is asked for from its start."""
        for query, pool in self._pools.items():
            if query.genre == genre:
                pool.again = True
                self._end(query, pool)

    def answered(self, query: TrackQuery, found: int) -> None:
        """An answer came: less than half of what was asked for means that there is no more.

        Not to be called when whoever knows songs failed and will be asked again soon.
        """
        pool = self._pool(query)
        pool.offset = query.offset + query.limit
        pool.used_up = found < max(1, query.limit // 2)
        pool.asked_at, pool.wanted_at, pool.attempts = None, None, 0
        self._end(query, pool)

    def _end(self, query: TrackQuery, pool: _Pool) -> None:
        if pool.used_up and pool.again:
            self._pools[replace(query, offset=0)] = _Pool()
