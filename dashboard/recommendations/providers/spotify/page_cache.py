"""Cache of Spotify's result pages for an hour, and of the positions at which searches continue.

The terms allow a short-lived cache of songs. A position consists of numbers only and may be kept for longer.
A list that asks for its next songs after an hour must continue at its position: paging from the start would
cost ten requests, and not get there.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock

PAGE: Final = 10
"""Rows of a page. Spotify refuses more since February 2026."""

MAX_OFFSET: Final = 1000 - PAGE
"""Last row at which a page may begin. Spotify returns 1000 rows at most."""
MAX_EMPTY_PAGES: Final = 5
"""Pages without a matching song after which first the genre filter, then the keywords are dropped."""

CACHE_SECONDS: Final = 3600.0
"""Seconds that a page is kept, since the terms allow a short-lived cache only."""
MAX_CACHED_PAGES: Final = 640
"""Cached pages, after which the oldest is removed."""
MAX_CACHED_POSITIONS: Final = 4096
"""Cached positions, after which the oldest is removed."""

Pool = tuple[str, str | None, ReleaseRange]


@dataclass(frozen=True, slots=True)
class PageKey:
    """Position at which a search continues.

    The page begins at ``offset``. ``returned`` songs precede the position, ``skip`` of them on this page.
    """

    offset: int = 0
    skip: int = 0
    returned: int = 0
    keywords: bool = False
    """True if the genre filter found nothing and the search uses keywords."""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Matching songs of one page. ``last`` is True if no page follows."""

    fetched_at: datetime
    tracks: tuple[Track, ...]
    last: bool


def pool_key(query: TrackQuery) -> Pool:
    """Return the part of a query that all queries of one list share."""
    return (query.genre, query.language, query.range)


def next_position(position: PageKey, page: ResultPage, taken: int) -> PageKey:
    """Return the position after ``taken`` more songs of a page."""
    returned = position.returned + taken
    if position.skip + taken < len(page.tracks):
        return replace(position, skip=position.skip + taken, returned=returned)
    offset = position.offset + PAGE
    fruitless = not returned and offset >= MAX_EMPTY_PAGES * PAGE
    if not page.last and offset <= MAX_OFFSET and not fruitless:
        return PageKey(offset, 0, returned, position.keywords)
    if returned or position.keywords:
        return PageKey(offset, 0, returned, position.keywords, ended=True)
    return PageKey(keywords=True)


class PageCache:
    """Pages and positions of all lists. Not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: dict[Hashable, ResultPage] = {}
        self._positions: dict[tuple[Pool, int], PageKey] = {}

    def evict_expired(self) -> None:
        """Remove the pages that are older than an hour. Positions stay."""
        now = self._clock.now()
        for key, page in list(self._pages.items()):
            if not 0 <= (now - page.fetched_at).total_seconds() < CACHE_SECONDS:
                del self._pages[key]

    def get(self, query: TrackQuery, position: PageKey) -> ResultPage | None:
        """Return the page at a position, or None if it is not cached."""
        return self._pages.get((pool_key(query), position.keywords, position.offset))

    def put(self, query: TrackQuery, position: PageKey, tracks: tuple[Track, ...], last: bool) -> ResultPage:
        """Store and return the page at a position."""
        page = ResultPage(self._clock.now(), tracks, last)
        self._pages[pool_key(query), position.keywords, position.offset] = page
        while len(self._pages) > MAX_CACHED_PAGES:
            del self._pages[next(iter(self._pages))]
        return page

    def find_start(self, query: TrackQuery) -> tuple[PageKey, int]:
        """Return the cached position nearest to the query's ``offset``, and the number of songs to skip."""
        pool = pool_key(query)
        known = [
            offset for known_pool, offset in self._positions if known_pool == pool and offset <= query.offset
        ]
        nearest = max(known, default=0)
        return self._positions.get((pool, nearest), PageKey()), query.offset - nearest

    def save_position(self, query: TrackQuery, position: PageKey) -> None:
        """Store the position at which the query that follows this query continues."""
        self._positions[pool_key(query), query.offset + query.limit] = position
        while len(self._positions) > MAX_CACHED_POSITIONS:
            del self._positions[next(iter(self._positions))]
