"""What a provider found before, in memory only, so that one request feeds many refreshes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status

HOUR_SECONDS: Final = 3600.0
LIFE_SECONDS: Final = 24 * HOUR_SECONDS
LIFE_OF_WEEK_SECONDS: Final = 6 * HOUR_SECONDS
KEPT: Final = 256
"""Pools at most; the one unused for longest goes first. There are 10 genres x 6 languages x 4 ranges."""

Key = tuple[str, str | None, ReleaseRange]
T = TypeVar("T")


def key_of(query: TrackQuery) -> Key:
    """What queries of one pool have in common."""
    return (query.genre, query.language, query.range)


class ResultCache(Generic[T]):
    """Values by query, each for 6 hours (of a week) or 24 (else). Any thread may call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, T]] = OrderedDict()
        self._changed = threading.Condition()
        self._asking: set[Key] = set()

    def get(self, query: TrackQuery) -> T | None:
        """What is known and still fresh."""
        now = self._clock.monotonic()
        with self._changed:
            for key in [key for key, (ends_at, _) in self._kept.items() if ends_at <= now]:
                del self._kept[key]
            if (found := self._kept.get(key_of(query))) is None:
                return None
            self._kept.move_to_end(key_of(query))
            return found[1]

    def put(self, query: TrackQuery, value: T) -> None:
        """Keep it."""
        life = LIFE_OF_WEEK_SECONDS if query.range is ReleaseRange.WEEK else LIFE_SECONDS
        with self._changed:
            self._kept[key_of(query)] = (self._clock.monotonic() + life, value)
            self._kept.move_to_end(key_of(query))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

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
