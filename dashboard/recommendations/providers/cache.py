"""What a provider found before, in memory only, so that one request feeds many refreshes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
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
        self._clock = clock
        self._kept: TLRUCache[Key, T] = TLRUCache(MAX_RESULTS, ttu=_expiry, timer=clock.monotonic)
        self._changed = threading.Condition()
        self._asking: set[Key] = set()

    def get(self, query: TrackQuery) -> T | None:
        """Return what is known; None if nothing is or it is too old."""
        with self._changed:
            self._kept.expire()
            return self._kept.get(key_of(query))

    def put(self, query: TrackQuery, value: T) -> None:
        """Keep a result."""
        with self._changed:
            self._kept[key_of(query)] = value

    @contextmanager
    def alone(self, query: TrackQuery, deadline: float) -> Iterator[bool]:
        """Hold off others who ask for the same pool; False when another does so until the deadline."""
        key = key_of(query)
        with self._changed:
            seconds = max(0.0, deadline - self._clock.monotonic())
            mine = self._changed.wait_for(lambda: key not in self._asking, seconds)
            if mine:
                self._asking.add(key)
        try:
            yield mine
        finally:
            if mine:
                with self._changed:
                    self._asking.discard(key)
                    self._changed.notify_all()


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
