"""Songs from the search of Apple's iTunes store. The search needs no key and is off by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboard.recommendations.domain.language import classify_language
from dashboard.recommendations.domain.text import parse_link, parse_name, parse_rows, parse_text
from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.providers.background import LATE
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.cache import ResultCache, slice_for
from dashboard.recommendations.providers.http_json import (
    PAUSE_SECONDS,
    HttpResult,
    JsonHttpClient,
    error_result,
    format_duration,
)
from dashboard.recommendations.providers.search_terms import LANGUAGE_TERMS, terms_for, words_for

if TYPE_CHECKING:
    import requests

MAX_RESULTS: Final = 200
"""Rows of one response, the service's limit."""

MAX_MILLISECONDS: Final = 86_400_000
"""Longest credible duration of a song, a day."""


class ITunesProvider:
    """Search of the iTunes store. Thread-safe.

    Parameters
    ----------
    clock : Clock
    base_url : str, optional
    session : requests.Session, optional
    """

    def __init__(
        self,
        clock: Clock,
        *,
        base_url: str = "https://itunes.apple.com",
        session: requests.Session | None = None,
    ) -> None:
        self._clock = clock
        self._address = base_url.rstrip("/") + "/search"
        self._http = JsonHttpClient(clock, session)
        self._cache: ResultCache[tuple[Track, ...]] = ResultCache(clock)

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        return "iTunes"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Return songs, from the cache if possible."""
        if known := self.cached_result(query):
            return known
        with self._cache.single_flight(query, deadline) as acquired:
            if not acquired:
                return LATE
            if known := self.cached_result(query):  # another thread has fetched it meanwhile
                return known
            interim(replace(LATE, calls=1))
            answer = self._http.get(self._address, search_parameters(query), {}, deadline)
            calls = int(answer.sent)
            if (fault := self._error_result(answer, calls)) is not None:
                return fault
            songs = parse_tracks(answer.body, query, self._clock.now().date())
            self._cache.put(query, songs)
            return slice_for(songs, query, calls)

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore
    ) -> ProviderResult:
        """Search like ``search``: there is no quota, so nothing is reserved."""
        return self.search(query, deadline, interim)

    def cached_result(self, query: TrackQuery) -> ProviderResult | None:
        """Return the cached result, or None if no result is cached."""
        found = self._cache.get(query)
        return None if found is None else slice_for(found, query)

    def _error_result(self, answer: HttpResult, calls: int) -> ProviderResult | None:
        if answer.fault is None and answer.code == 200:
            if isinstance(answer.body.get("results"), list):
                return None
            return error_result(replace(answer, fault=Status.BAD_ANSWER), self._clock, calls)
        if answer.code in (403, 429):  # both statuses mean more than 20 requests a minute
            return ProviderResult(
                status=Status.RATE_LIMITED,
                retry_at=self._clock.now() + timedelta(seconds=PAUSE_SECONDS),
                detail=f"received too many requests; the next request is in {format_duration(PAUSE_SECONDS)}",
                calls=calls,
            )
        return error_result(answer, self._clock, calls)


def search_parameters(query: TrackQuery) -> dict[str, str]:
    """Return the parameters of the search. ``lang`` sets the language of genre names, not of songs."""
    return {
        "term": words_for(query.genre, query.language),
        "country": LANGUAGE_TERMS[query.language or "en"].itunes_store,
        "media": "music",
        "entity": "song",
        "limit": str(MAX_RESULTS),
        "lang": "ja_jp" if query.language == "ja" else "en_us",
    }


def parse_tracks(body: Mapping[str, Any], query: TrackQuery, today: date) -> tuple[Track, ...]:
    """Parse the rows that are songs of the requested genre, language and age.

    Songs that are only announced are left out.
    """
    found: dict[str, Track] = {}
    since, until = query.range.since(today), query.range.until or today
    for rank, row in enumerate(parse_rows(body["results"])[:MAX_RESULTS]):
        track = _track(row, query, rank)
        if track is None or (track.published is not None and track.published > today):
            continue
        if since is not None and (track.published is None or not since <= track.published <= until):
            continue
        found.setdefault(track.url, track)
    return tuple(found.values())


def _track(row: Mapping[str, Any], query: TrackQuery, rank: int) -> Track | None:
    title, artist = parse_name(row.get("trackName")), parse_name(row.get("artistName"))
    url = parse_link(row.get("trackViewUrl"), "apple.com")
    genre = parse_text(row.get("primaryGenreName"))
    matches_genre = re.search(rf"(?<!\w)(?:{terms_for(query.genre).itunes})(?!\w)", genre, re.IGNORECASE)
    if row.get("kind") != "song" or not title or not artist or not url or not matches_genre:
        return None
    if (classified := classify_language(query.language, title, (artist,))) is None:
        return None
    published = _parse_date(row.get("releaseDate"))
    number = row.get("trackId")
    return Track(
        provider="iTunes",
        title=title,
        artists=(artist,),
        url=url,
        genre=query.genre,
        language=classified[0],
        language_source=classified[1],
        published=published,
        precision="none" if published is None else "day",
        album=parse_name(row.get("collectionName")),
        duration_seconds=_parse_seconds(row.get("trackTimeMillis")),
        artwork_url=parse_link(row.get("artworkUrl100"), "mzstatic.com"),
        provider_id=str(number) if type(number) is int else "",
        rank=rank,
    )


def _parse_date(value: object) -> date | None:
    try:
        return date.fromisoformat(parse_text(value)[:10])
    except ValueError:
        return None


def _parse_seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 < milliseconds < MAX_MILLISECONDS else None
