"""Songs from the search of Apple's iTunes store, which needs no key; off unless it is switched on."""

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
    failed,
    in_words,
)
from dashboard.recommendations.providers.search_terms import LANGUAGE_TERMS, terms_for, words_for

if TYPE_CHECKING:
    import requests

MAX_RESULTS: Final = 200
"""The service's limit."""

LONGEST_MILLISECONDS: Final = 86_400_000


class ITunesProvider:
    """Searches the store. Any thread may call.

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
        self._asker = JsonHttpClient(clock, session)
        self._pools: ResultCache[tuple[Track, ...]] = ResultCache(clock)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "iTunes"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Songs, from memory where possible."""
        if known := self.remembered(query):
            return known
        with self._pools.alone(query, deadline) as mine:
            if not mine:
                return LATE
            if known := self.remembered(query):  # asked meanwhile on another thread
                return known
            interim(replace(LATE, calls=1))
            answer = self._asker.get(self._address, parameters(query), {}, deadline)
            calls = int(answer.sent)
            if (fault := self._fault(answer, calls)) is not None:
                return fault
            songs = tracks(answer.body, query, self._clock.now().date())
            self._pools.put(query, songs)
            return slice_for(songs, query, calls)

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore
    ) -> ProviderResult:
        """As ``search``: nothing is kept back here."""
        return self.search(query, deadline, interim)

    def remembered(self, query: TrackQuery) -> ProviderResult | None:
        """What was found before; None if nothing was or it is too old."""
        found = self._pools.get(query)
        return None if found is None else slice_for(found, query)

    def _fault(self, answer: HttpResult, calls: int) -> ProviderResult | None:
        if answer.fault is None and answer.code == 200:
            if isinstance(answer.body.get("results"), list):
                return None
            return failed(replace(answer, fault=Status.BAD_ANSWER), self._clock, calls)
        if answer.code in (403, 429):  # both are how it says that there were over 20 a minute
            return ProviderResult(
                status=Status.RATE_LIMITED,
                retry_at=self._clock.now() + timedelta(seconds=PAUSE_SECONDS),
                detail=f"was asked too often; it is asked again in {in_words(PAUSE_SECONDS)}",
                calls=calls,
            )
        return failed(answer, self._clock, calls)


def parameters(query: TrackQuery) -> dict[str, str]:
    """Of the search; its ``lang`` chooses the language of names of genres, not of songs."""
    return {
        "term": words_for(query.genre, query.language),
        "country": LANGUAGE_TERMS[query.language or "en"].itunes_store,
        "media": "music",
        "entity": "song",
        "limit": str(MAX_RESULTS),
        "lang": "ja_jp" if query.language == "ja" else "en_us",
    }


def tracks(body: Mapping[str, Any], query: TrackQuery, today: date) -> tuple[Track, ...]:
    """The rows that are songs of the wanted genre, language and age; what is only announced is none."""
    found: dict[str, Track] = {}
    since = query.range.since(today)
    for rank, row in enumerate(parse_rows(body["results"])[:MAX_RESULTS]):
        track = _track(row, query, rank)
        if track is None or (track.published is not None and track.published > today):
            continue
        if since is not None and (track.published is None or track.published < since):
            continue
        found.setdefault(track.url, track)
    return tuple(found.values())


def _track(row: Mapping[str, Any], query: TrackQuery, rank: int) -> Track | None:
    title, artist = parse_name(row.get("trackName")), parse_name(row.get("artistName"))
    url = parse_link(row.get("trackViewUrl"), "apple.com")
    genre = parse_text(row.get("primaryGenreName"))
    of_genre = re.search(rf"(?<!\w)(?:{terms_for(query.genre).itunes})(?!\w)", genre, re.IGNORECASE)
    if row.get("kind") != "song" or not title or not artist or not url or not of_genre:
        return None
    if (judged := classify_language(query.language, title, (artist,))) is None:
        return None
    published = _day(row.get("releaseDate"))
    number = row.get("trackId")
    return Track(
        provider="iTunes",
        title=title,
        artists=(artist,),
        url=url,
        genre=query.genre,
        language=judged[0],
        language_source=judged[1],
        published=published,
        precision="none" if published is None else "day",
        album=parse_name(row.get("collectionName")),
        duration_seconds=_seconds(row.get("trackTimeMillis")),
        artwork_url=parse_link(row.get("artworkUrl100"), "mzstatic.com"),
        provider_id=str(number) if type(number) is int else "",
        rank=rank,
    )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(parse_text(value)[:10])
    except ValueError:
        return None


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 < milliseconds < LONGEST_MILLISECONDS else None
