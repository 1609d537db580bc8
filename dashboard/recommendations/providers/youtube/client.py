"""Songs from YouTube's Data API.

A search takes two requests: one for videos and one for their details. A cache keeps the result for many
refreshes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dashboard.recommendations.domain.text import parse_mapping, parse_rows, parse_text
from dashboard.recommendations.domain.tracks import DECADES, Track, TrackQuery
from dashboard.recommendations.providers.background import LATE
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.cache import ResultCache, slice_for
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.http_json import (
    HttpResult,
    JsonHttpClient,
    error_result,
    format_duration,
)
from dashboard.recommendations.providers.youtube.parsing import (
    VideoItem,
    parse_tracks,
    parse_videos,
    search_parameters,
    video_parameters,
)

if TYPE_CHECKING:
    import requests

RESERVED_SEARCHES: Final = 10
"""Searches a day that only clicks of the user may use."""

_KEY: Final = re.compile(r"[!-~]+")

_STATUS_BY_REASON: Final = {
    "keyInvalid": Status.AUTH,
    "API_KEY_INVALID": Status.AUTH,
    "API_KEY_EXPIRED": Status.AUTH,
    "quotaExceeded": Status.QUOTA,
    "dailyLimitExceeded": Status.QUOTA,
    "rateLimitExceeded": Status.RATE_LIMITED,
    "userRateLimitExceeded": Status.RATE_LIMITED,
    "accessNotConfigured": Status.FORBIDDEN,
    "SERVICE_DISABLED": Status.FORBIDDEN,
}
"""Status by reason in Google's error envelope, for any HTTP status."""


@dataclass(frozen=True, slots=True)
class _CachedSearch:
    """Videos of a search. ``tracks`` is None until the second request has succeeded."""

    rows: tuple[VideoItem, ...]
    tracks: tuple[Track, ...] | None = None


class YouTubeProvider:
    """Client of YouTube's search. Thread-safe.

    Parameters
    ----------
    key : str
        Key of the Data API. The key is sent in a header, so that it appears in no log of addresses.
    clock : Clock
    quota : DailyQuota
        Searches that are left today.
    base_url : str, optional
    session : requests.Session, optional

    Raises
    ------
    ValueError
        If the key is empty or contains a character that no key contains.
    """

    def __init__(
        self,
        key: str,
        clock: Clock,
        quota: DailyQuota,
        *,
        base_url: str = "https://www.googleapis.com",
        session: requests.Session | None = None,
    ) -> None:
        if not _KEY.fullmatch(key.strip()):
            raise ValueError("the YouTube key is empty or contains characters that no key contains")
        # A function hides the key from representations of this object.
        self._key: Callable[[], str] = lambda: key.strip()
        self._clock = clock
        self._quota = quota
        self._base_url = base_url.rstrip("/") + "/youtube/v3"
        self._http = JsonHttpClient(clock, session)
        self._cache: ResultCache[_CachedSearch] = ResultCache(clock)

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        return "YouTube"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Return songs, from the cache if possible. The last searches of a day are reserved for clicks."""
        return self._search(query, deadline, interim, RESERVED_SEARCHES)

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore
    ) -> ProviderResult:
        """Search like ``search`` for a click of the user. The search may be a reserved one."""
        return self._search(query, deadline, interim, 0)

    def cached_result(self, query: TrackQuery) -> ProviderResult | None:
        """Return the cached result, or None if no result is cached."""
        found = self._cache.get(query)
        return None if found is None or found.tracks is None else slice_for(found.tracks, query)

    def _search(self, query: TrackQuery, deadline: float, interim: Interim, keep: int) -> ProviderResult:
        if query.range in DECADES:
            return ProviderResult(status=Status.EMPTY, detail="knows the year of an upload, not of a song")
        if known := self.cached_result(query):
            return known
        with self._cache.single_flight(query, deadline) as acquired:
            if not acquired:
                return LATE
            if known := self.cached_result(query):  # another thread has fetched it meanwhile
                return known
            calls = 0
            if (found := self._cache.get(query)) is None:
                answer = self._fetch_videos(query, deadline, interim, keep)
                if isinstance(answer, ProviderResult):
                    return answer
                found, calls = answer, 1
                self._cache.put(query, found)
            return self._fetch_details(found, query, deadline, interim, calls)

    def _fetch_videos(
        self, query: TrackQuery, deadline: float, interim: Interim, keep: int
    ) -> _CachedSearch | ProviderResult:
        """Send the first request, which the daily quota limits."""
        if not self._quota.take(keep):
            return self._quota_result(0, keep)
        today = self._clock.now().date()
        interim(replace(LATE, calls=1))
        answer = self._http.get(
            f"{self._base_url}/search", search_parameters(query, today), self._headers(), deadline
        )
        if not answer.sent:
            self._quota.give_back()
        if (fault := self._error_result(answer, int(answer.sent))) is not None:
            if fault.status is Status.QUOTA:
                self._quota.exhaust()
            return fault
        return _CachedSearch(parse_videos(answer.body, query, today))

    def _fetch_details(
        self, found: _CachedSearch, query: TrackQuery, deadline: float, interim: Interim, calls: int
    ) -> ProviderResult:
        """Send the second request, whose details separate songs from Shorts, mixes and other languages."""
        details: Mapping[str, Any] = {"items": []}
        if found.rows:
            interim(replace(LATE, calls=calls + 1))
            answer = self._http.get(
                f"{self._base_url}/videos", video_parameters(found.rows), self._headers(), deadline
            )
            calls += answer.sent
            if (fault := self._error_result(answer, calls)) is not None:
                return fault
            details = answer.body
        songs = parse_tracks(found.rows, details, query)
        self._cache.put(query, replace(found, tracks=songs))
        return slice_for(songs, query, calls)

    def _error_result(self, answer: HttpResult, calls: int) -> ProviderResult | None:
        """Return the result for an error response, or None if the response can be used."""
        if answer.fault is None and answer.code == 200:
            if isinstance(answer.body.get("items"), list):
                return None
            return error_result(replace(answer, fault=Status.BAD_ANSWER), self._clock, calls)
        status = _error_status(answer)
        if status is Status.QUOTA:
            return self._quota_result(calls, 0)
        if status is Status.AUTH:
            return ProviderResult(status=status, detail="rejected the key", calls=calls)
        if status is Status.FORBIDDEN:
            detail = "does not permit searches with this key; enable the YouTube Data API for it"
            return ProviderResult(status=status, detail=detail, calls=calls)
        code = 429 if status is Status.RATE_LIMITED else answer.code
        return error_result(replace(answer, code=code), self._clock, calls)

    def _headers(self) -> dict[str, str]:
        return {"X-Goog-Api-Key": self._key(), "Accept": "application/json"}

    def _quota_result(self, calls: int, keep: int) -> ProviderResult:
        resets_at = self._quota.resets_at()
        again = format_duration((resets_at - self._clock.now()).total_seconds())
        kept = (
            f" except the last {keep}, which are reserved for your clicks"
            if keep and self._quota.left
            else ""
        )
        return ProviderResult(
            status=Status.QUOTA,
            retry_at=resets_at,
            detail=f"has no searches left for today{kept}; the next request is in {again}",
            calls=calls,
        )


def _error_status(answer: HttpResult) -> Status | None:
    """Return the status that Google's error envelope names, or None if it names no known reason."""
    error = parse_mapping(answer.body.get("error"))
    message = parse_text(error.get("message"))
    if answer.code == 429:
        return Status.QUOTA if "per day" in message.lower() else Status.RATE_LIMITED
    for row in (*parse_rows(error.get("details")), *parse_rows(error.get("errors"))):
        if status := _STATUS_BY_REASON.get(parse_text(row.get("reason"))):
            return status
    if answer.code == 400 and "api key" in message.lower():
        return Status.AUTH
    return {401: Status.AUTH, 403: Status.FORBIDDEN}.get(answer.code)
