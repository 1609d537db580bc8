"""What a provider found before, in memory only, so that one request feeds many refreshes."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from cachetools import TLRUCache

from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status

HOUR_SECONDS: Final = 3600.0
LIFE_SECONDS: Final = 24 * HOUR_SECONDS
WEEK_LIFE_SECONDS: Final = 6 * HOUR_SECONDS
"""Of songs of the last week, which change sooner."""
MAX_RESULTS: Final = 256
"""The least recently used goes first. There are 10 genres x 6 languages x 4 ranges."""

Key = tuple[str, str | None, ReleaseRange]
T = TypeVar("T")


def key_of(query: TrackQuery) -> Key:
    """What queries of one pool have in common."""
    return (query.genre, query.language, query.range)


class ResultCache(Generic[T]):
    """Results by genre, language and age, each kept for 6 hours (of a week) or 24 (else). Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._kept: TLRUCache[Key, T] = TLRUCache(MAX_RESULTS, ttu=_expiry, timer=clock.monotonic)
        self._lock = threading.Lock()
        self._flight = SingleFlight(clock)

    def get(self, query: TrackQuery) -> T | None:
        """Return what is known; None if nothing is or it is too old."""
        with self._lock:
            self._kept.expire()
            return self._kept.get(key_of(query))

    def put(self, query: TrackQuery, value: T) -> None:
        """Keep a result."""
        with self._lock:
            self._kept[key_of(query)] = value

    @contextmanager
    def alone(self, query: TrackQuery, deadline: float) -> Iterator[bool]:
        """Hold off others who ask for the same result; see ``SingleFlight.hold``."""
        with self._flight.hold(key_of(query), deadline) as mine:
            yield mine


class SingleFlight:
    """Lets one thread at a time do each piece of work. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._ends: dict[Hashable, tuple[object, float]] = {}

    @contextmanager
    def hold(self, key: Hashable, deadline: float) -> Iterator[bool]:
        """Wait until nobody else holds the key, and hold it to the end of the block.

        A holder is waited for until its own deadline: one that hangs must not keep all others for good.

        Yields
        ------
        bool
            False if another thread holds the key until the deadline.
        """
        me = object()
        with self._changed:
            while (wait := self._seconds(key)) > 0 and (left := deadline - self._clock.monotonic()) > 0:
                self._changed.wait(min(wait, left))
            mine = wait <= 0
            if mine:
                self._ends[key] = (me, deadline)
        try:
            yield mine
        finally:
            with self._changed:
                if self._ends.get(key, (None, 0.0))[0] is me:
                    del self._ends[key]
                    self._changed.notify_all()

    def _seconds(self, key: Hashable) -> float:
        """Return how long the key may be held by another thread; 0 if it is free."""
        held = self._ends.get(key)
        return 0.0 if held is None else held[1] - self._clock.monotonic()


def _expiry(key: Key, _value: object, now: float) -> float:
    return now + (WEEK_LIFE_SECONDS if key[2] is ReleaseRange.WEEK else LIFE_SECONDS)


def slice_for(found: Sequence[Track], query: TrackQuery, calls: int = 0) -> ProviderResult:
    """The part of a pool that a query wants; with ``calls`` 0 it is from memory.

    A pool that is new is told from its start: what ``offset`` counts was in another one, or never came
    because the provider failed then.
    """
    first = query.offset if calls == 0 else 0
    tracks = tuple(found[first : first + query.limit])
    if tracks:
        return ProviderResult(tracks, from_cache=calls == 0, calls=calls)
    detail = "has no more of these songs for now" if found else "knows no song that passes these filters"
    return ProviderResult(status=Status.EMPTY, from_cache=calls == 0, detail=detail, calls=calls)
