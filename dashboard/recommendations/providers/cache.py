"""In-memory cache of provider results, so that one request serves many refreshes."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from cachetools import TLRUCache

from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status

HOUR_SECONDS: Final = 3600.0
TTL_SECONDS: Final = 24 * HOUR_SECONDS
"""Lifetime in seconds of a cached result."""
WEEK_TTL_SECONDS: Final = 6 * HOUR_SECONDS
"""Lifetime in seconds of results for the last week, which change sooner."""
MAX_RESULTS: Final = 256
"""Maximum number of cached results. There are 780 queries: 10 genres, 6 languages with "any", and 13
ranges. A session needs few of them."""

Key = tuple[str, str | None, ReleaseRange]
T = TypeVar("T")


def cache_key(query: TrackQuery) -> Key:
    """Return genre, language and range of a query. Queries with the same key share their songs."""
    return (query.genre, query.language, query.range)


class ResultCache(Generic[T]):
    """Results by genre, language and age. Results for a week live for 6 hours, others for 24. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._results: TLRUCache[Key, T] = TLRUCache(MAX_RESULTS, ttu=_expiry, timer=clock.monotonic)
        self._lock = threading.Lock()
        self._flight = SingleFlight(clock)

    def get(self, query: TrackQuery) -> T | None:
        """Return the cached result, or None if no result is cached."""
        with self._lock:
            self._results.expire()
            return self._results.get(cache_key(query))

    def put(self, query: TrackQuery, value: T) -> None:
        """Store a result."""
        with self._lock:
            self._results[cache_key(query)] = value

    @contextmanager
    def single_flight(self, query: TrackQuery, deadline: float) -> Iterator[bool]:
        """Fetch a result in one thread at a time. See ``SingleFlight.hold``."""
        with self._flight.hold(cache_key(query), deadline) as acquired:
            yield acquired


class SingleFlight:
    """Locks by key, so that one thread at a time fetches a result. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._holders: dict[Hashable, tuple[object, float]] = {}

    @contextmanager
    def hold(self, key: Hashable, deadline: float) -> Iterator[bool]:
        """Wait until no other thread holds the key, and hold the key to the end of the block.

        Other threads wait for a holder until the deadline of the holder, so that a hanging holder does not
        block them forever.

        Yields
        ------
        bool
            False if another thread holds the key until the deadline.
        """
        holder = object()
        with self._changed:
            while (wait := self._remaining_seconds(key)) > 0 and (
                left := deadline - self._clock.monotonic()
            ) > 0:
                self._changed.wait(min(wait, left))
            acquired = wait <= 0
            if acquired:
                self._holders[key] = (holder, deadline)
        try:
            yield acquired
        finally:
            with self._changed:
                if self._holders.get(key, (None, 0.0))[0] is holder:
                    del self._holders[key]
                    self._changed.notify_all()

    def _remaining_seconds(self, key: Hashable) -> float:
        """Return how many seconds another thread may still hold the key, 0 if the key is free."""
        entry = self._holders.get(key)
        return 0.0 if entry is None else entry[1] - self._clock.monotonic()


def _expiry(key: Key, _value: object, now: float) -> float:
    return now + (WEEK_TTL_SECONDS if key[2] is ReleaseRange.WEEK else TTL_SECONDS)


def slice_for(tracks: Sequence[Track], query: TrackQuery, calls: int = 0) -> ProviderResult:
    """Return the part of a result that a query asks for.

    Parameters
    ----------
    tracks : sequence of Track
        All songs of the result.
    query : TrackQuery
    calls : int
        Number of requests that were sent for the result, 0 if it comes from the cache. A new result is
        sliced from its start: the query's ``offset`` refers to an older result, or to one that never came
        because the provider failed.
    """
    first = query.offset if calls == 0 else 0
    selected = tuple(tracks[first : first + query.limit])
    if selected:
        return ProviderResult(selected, from_cache=calls == 0, calls=calls)
    detail = "has no more of these songs for now" if tracks else "has no songs that pass these filters"
    return ProviderResult(status=Status.EMPTY, from_cache=calls == 0, detail=detail, calls=calls)
