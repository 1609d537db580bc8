"""Pages of Spotify's search for an hour, and where to go on, which is numbers and may be kept for longer.

The terms allow a short memory of songs. A list that asks for its next songs after that hour must still
go on where it stood: paging from the start would cost ten requests, and not get there.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock

PAGE: Final = 10
"""Rows a page; Spotify refuses more since February 2026."""

LAST_OFFSET: Final = 1000 - PAGE
PAGES_EACH: Final = 5
"""Pages without a fitting song after which the genre filter, then the keywords, are given up."""

CACHE_SECONDS: Final = 3600.0
PAGES_KEPT: Final = 640
PLACES_KEPT: Final = 4096

Pool = tuple[str, str | None, ReleaseRange]


@dataclass(frozen=True, slots=True)
class PageKey:
    """Where a search goes on: the page at ``offset``, behind ``told`` songs, ``skip`` of them on it."""

    offset: int = 0
    skip: int = 0
    told: int = 0
    keywords: bool = False
    """The genre filter found nothing; keywords are searched for."""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ResultPage:
    """What was on one page: the songs that fit, and whether there is no further one."""

    made: datetime
    tracks: tuple[Track, ...]
    last: bool


def pool_of(query: TrackQuery) -> Pool:
    """What the queries of one list have in common."""
    return (query.genre, query.language, query.range)


def after(place: PageKey, page: ResultPage, taken: int) -> PageKey:
    """The place behind that many more songs of a page."""
    told = place.told + taken
    if place.skip + taken < len(page.tracks):
        return replace(place, skip=place.skip + taken, told=told)
    offset = place.offset + PAGE
    fruitless = not told and offset >= PAGES_EACH * PAGE
    if not page.last and offset <= LAST_OFFSET and not fruitless:
        return PageKey(offset, 0, told, place.keywords)
    if told or place.keywords:
        return PageKey(offset, 0, told, place.keywords, ended=True)
    return PageKey(keywords=True)


class PageCache:
    """What is remembered; one caller at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: dict[Hashable, ResultPage] = {}
        self._places: dict[tuple[Pool, int], PageKey] = {}

    def forget_old(self) -> None:
        """Forget pages that are older than an hour, asked for or not; places stay."""
        now = self._clock.now()
        for key, page in list(self._pages.items()):
            if not 0 <= (now - page.made).total_seconds() < CACHE_SECONDS:
                del self._pages[key]

    def page(self, query: TrackQuery, place: PageKey) -> ResultPage | None:
        """The page at a place, if it is known."""
        return self._pages.get((pool_of(query), place.keywords, place.offset))

    def keep(self, query: TrackQuery, place: PageKey, tracks: tuple[Track, ...], last: bool) -> ResultPage:
        """Remember the page at a place."""
        page = ResultPage(self._clock.now(), tracks, last)
        self._pages[pool_of(query), place.keywords, place.offset] = page
        while len(self._pages) > PAGES_KEPT:
            del self._pages[next(iter(self._pages))]
        return page

    def begin(self, query: TrackQuery) -> tuple[PageKey, int]:
        """Where to begin for the query's ``offset``, and how many songs to pass over from there."""
        pool = pool_of(query)
        known = [offset for of, offset in self._places if of == pool and offset <= query.offset]
        nearest = max(known, default=0)
        return self._places.get((pool, nearest), PageKey()), query.offset - nearest

    def stand(self, query: TrackQuery, place: PageKey) -> None:
        """Whoever has the songs of this query goes on at that place."""
        self._places[pool_of(query), query.offset + query.limit] = place
        while len(self._places) > PLACES_KEPT:
            del self._places[next(iter(self._places))]
