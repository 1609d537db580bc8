"""Cache of Spotify's result pages for an hour, and of the positions at which searches continue.

The terms allow a short-lived cache of songs. A position consists of numbers only and may be kept for longer.
A search that continues after an hour must start at its position, since ten requests from the start would not
reach the position again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.providers.base import Clock
from dashboard.recommendations.providers.cache import Key, cache_key

PAGE: Final = 10
"""Rows of a page, Spotify's limit since February 2026."""

MAX_OFFSET: Final = 1000 - PAGE
"""Largest offset of a page. Spotify returns 1000 rows at most."""
MAX_EMPTY_PAGES: Final = 5
"""Pages without a matching song after which a search gives up the genre filter, and later the keywords."""

CACHE_SECONDS: Final = 3600.0
"""Seconds for which a page is kept. The terms allow a short-lived cache only."""
MAX_CACHED_PAGES: Final = 640
"""Cached pages, after which the oldest is removed."""
MAX_CACHED_POSITIONS: Final = 4096
"""Cached positions, after which the oldest is removed."""


@dataclass(frozen=True, slots=True)
class SearchPosition:
    """Position at which a search continues."""

    offset: int = 0
    """Row at which the page begins."""
    skip: int = 0
    """Songs of this page that were returned before."""
    returned: int = 0
    """Songs of all pages that were returned before."""
    keywords: bool = False
    """True if the genre filter found nothing and the search uses keywords."""
    ended: bool = False
    """True if no page follows."""


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Matching songs of one page. ``last`` is True if no page follows."""

    fetched_at: datetime
    tracks: tuple[Track, ...]
    last: bool


def next_position(position: SearchPosition, page: ResultPage, taken: int) -> SearchPosition:
    """Return the position after ``taken`` more songs of a page."""
    returned = position.returned + taken
    if position.skip + taken < len(page.tracks):
        return replace(position, skip=position.skip + taken, returned=returned)
    offset = position.offset + PAGE
    fruitless = not returned and offset >= MAX_EMPTY_PAGES * PAGE
    if not page.last and offset <= MAX_OFFSET and not fruitless:
        return SearchPosition(offset, 0, returned, position.keywords)
    if returned or position.keywords:
        return SearchPosition(offset, 0, returned, position.keywords, ended=True)
    return SearchPosition(keywords=True)


class PageCache:
    """Pages and positions of all searches. Not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: dict[Hashable, ResultPage] = {}
        self._positions: dict[tuple[Key, int], SearchPosition] = {}

    def evict_expired(self) -> None:
        """Remove the pages that are older than an hour. Positions stay."""
        now = self._clock.now()
        for key, page in list(self._pages.items()):
            if not 0 <= (now - page.fetched_at).total_seconds() < CACHE_SECONDS:
                del self._pages[key]

    def get(self, query: TrackQuery, position: SearchPosition) -> ResultPage | None:
        """Return the page at a position, or None if it is not cached."""
        return self._pages.get((cache_key(query), position.keywords, position.offset))

    def put(
        self, query: TrackQuery, position: SearchPosition, tracks: tuple[Track, ...], last: bool
    ) -> ResultPage:
        """Store and return the page at a position."""
        page = ResultPage(self._clock.now(), tracks, last)
        self._pages[cache_key(query), position.keywords, position.offset] = page
        while len(self._pages) > MAX_CACHED_PAGES:
            del self._pages[next(iter(self._pages))]
        return page

    def find_start(self, query: TrackQuery) -> tuple[SearchPosition, int]:
        """Return the cached position nearest to the query's ``offset``, and the number of songs to skip."""
        key = cache_key(query)
        known = [
            offset for known_key, offset in self._positions if known_key == key and offset <= query.offset
        ]
        nearest = max(known, default=0)
        return self._positions.get((key, nearest), SearchPosition()), query.offset - nearest

    def save_position(self, query: TrackQuery, position: SearchPosition) -> None:
        """Store the position at which the query after this query continues."""
        self._positions[cache_key(query), query.offset + query.limit] = position
        while len(self._positions) > MAX_CACHED_POSITIONS:
            del self._positions[next(iter(self._positions))]
