"""Songs from YouTube's Data API: one search and one look at what it found, then a pool for many refreshes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dashboard.recommendations.domain.text import parse_mapping, parse_rows, parse_text
from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.providers.background import LATE
from dashboard.recommendations.providers.base import Clock, Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.cache import ResultCache, slice_for
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.http_json import HttpResult, JsonHttpClient, failed, in_words
from dashboard.recommendations.providers.youtube.parsing import (
    VideoItem,
    rows,
    search_parameters,
    tracks,
    video_parameters,
)

if TYPE_CHECKING:
    import requests

KEPT_FOR_PERSONS: Final = 10
"""Searches a day that only a person's own click may use."""

_KEY: Final = re.compile(r"[!-~]+")

_REFUSALS: Final = {
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
"""Reasons in Google's error envelope, whatever HTTP status they come with."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search found; ``tracks`` is None until the second request was answered too."""

    rows: tuple[VideoItem, ...]
    tracks: tuple[Track, ...] | None = None


class YouTubeProvider:
    """Searches YouTube. Any thread may call.

    Parameters
    ----------
    key : str
        Of the Data API; sent in a header, so that no log of addresses shows it.
    clock : Clock
    budget : DayBudget
        Searches that are left today.
    base_url : str, optional
    session : requests.Session, optional

    Raises
    ------
    ValueError
        The key holds something that no key does.
    """

    def __init__(
        self,
        key: str,
        clock: Clock,
        budget: DailyQuota,
        *,
        base_url: str = "https://www.googleapis.com",
        session: requests.Session | None = None,
    ) -> None:
        if not _KEY.fullmatch(key.strip()):
            raise ValueError("the YouTube key is empty or has spaces or letters in it that no key has")
        # Behind a function, so that no representation of this object shows the key.
        self._key: Callable[[], str] = lambda: key.strip()
        self._clock = clock
        self._budget = budget
        self._base_url = base_url.rstrip("/") + "/youtube/v3"
        self._asker = JsonHttpClient(clock, session)
        self._pools: ResultCache[_Found] = ResultCache(clock)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "YouTube"

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        """Songs, from memory where possible; the day's last searches are left to persons."""
        return self._search(query, deadline, interim, KEPT_FOR_PERSONS)

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore
    ) -> ProviderResult:
        """As ``search``, with the day's last searches, for a person who clicked."""
        return self._search(query, deadline, interim, 0)

    def remembered(self, query: TrackQuery) -> ProviderResult | None:
        """What was found before; None if nothing was or it is too old."""
        found = self._pools.get(query)
        return None if found is None or found.tracks is None else slice_for(found.tracks, query)

    def _search(self, query: TrackQuery, deadline: float, interim: Interim, keep: int) -> ProviderResult:
        if known := self.remembered(query):
            return known
        with self._pools.alone(query, deadline) as mine:
            if not mine:
                return LATE
            if known := self.remembered(query):  # asked meanwhile on another thread
                return known
            calls = 0
            if (found := self._pools.get(query)) is None:
                answer = self._find(query, deadline, interim, keep)
                if isinstance(answer, ProviderResult):
                    return answer
                found, calls = answer, 1
                self._pools.put(query, found)
            return self._look(found, query, deadline, interim, calls)

    def _find(
        self, query: TrackQuery, deadline: float, interim: Interim, keep: int
    ) -> _Found | ProviderResult:
        """The first request, the one of which there are few."""
        if not self._budget.take(keep):
            return self._spent(0, keep)
        today = self._clock.now().date()
        interim(replace(LATE, calls=1))
        answer = self._asker.get(
            f"{self._base_url}/search", search_parameters(query, today), self._headers(), deadline
        )
        if not answer.sent:
            self._budget.give_back()
        if (fault := self._fault(answer, int(answer.sent))) is not None:
            if fault.status is Status.QUOTA:
                self._budget.exhaust()
            return fault
        return _Found(rows(answer.body, query, today))

    def _look(
        self, found: _Found, query: TrackQuery, deadline: float, interim: Interim, calls: int
    ) -> ProviderResult:
        """The second request: without it Shorts, mixes and other languages cannot be told from songs."""
        details: Mapping[str, Any] = {"items": []}
        if found.rows:
            interim(replace(LATE, calls=calls + 1))
            answer = self._asker.get(
                f"{self._base_url}/videos", video_parameters(found.rows), self._headers(), deadline
            )
            calls += answer.sent
            if (fault := self._fault(answer, calls)) is not None:
                return fault
            details = answer.body
        songs = tracks(found.rows, details, query)
        self._pools.put(query, replace(found, tracks=songs))
        return slice_for(songs, query, calls)

    def _fault(self, answer: HttpResult, calls: int) -> ProviderResult | None:
        """What is wrong with an answer; None if nothing is."""
        if answer.fault is None and answer.code == 200:
            if isinstance(answer.body.get("items"), list):
                return None
            return failed(replace(answer, fault=Status.BAD_ANSWER), self._clock, calls)
        status = _refusal(answer)
        if status is Status.QUOTA:
            return self._spent(calls, 0)
        if status is Status.AUTH:
            return ProviderResult(status=status, detail="does not accept the key", calls=calls)
        if status is Status.FORBIDDEN:
            detail = (
                "does not allow this key to search; the YouTube Data API may have to be switched on for it"
            )
            return ProviderResult(status=status, detail=detail, calls=calls)
        code = 429 if status is Status.RATE_LIMITED else answer.code
        return failed(replace(answer, code=code), self._clock, calls)

    def _headers(self) -> dict[str, str]:
        return {"X-Goog-Api-Key": self._key(), "Accept": "application/json"}

    def _spent(self, calls: int, keep: int) -> ProviderResult:
        resets_at = self._budget.resets_at()
        again = in_words((resets_at - self._clock.now()).total_seconds())
        kept = f"; the last {keep} are kept for your own clicks" if keep and self._budget.left else ""
        return ProviderResult(
            status=Status.QUOTA,
            retry_at=resets_at,
            detail=f"has no searches left for today{kept}; it is asked again in {again}",
            calls=calls,
        )


def _refusal(answer: HttpResult) -> Status | None:
    """What Google's error envelope says; None if it is none, or says nothing in particular."""
    error = parse_mapping(answer.body.get("error"))
    message = parse_text(error.get("message"))
    if answer.code == 429:
        return Status.QUOTA if "per day" in message.lower() else Status.RATE_LIMITED
    for row in (*parse_rows(error.get("details")), *parse_rows(error.get("errors"))):
        if status := _REFUSALS.get(parse_text(row.get("reason"))):
            return status
    if answer.code == 400 and "api key" in message.lower():
        return Status.AUTH
    return {401: Status.AUTH, 403: Status.FORBIDDEN}.get(answer.code)
