"""Provider group: the song providers whose keys are set, searched concurrently."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

from dashboard.environment import ITUNES_VARIABLE, SPOTIFY_VARIABLES, YOUTUBE_VARIABLE
from dashboard.recommendations.domain.tracks import INSTRUMENTAL, Relaxed, Track, TrackQuery
from dashboard.recommendations.providers.background import Pending
from dashboard.recommendations.providers.base import Clock, ProviderResult, SongProvider
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from dashboard.recommendations.providers.circuit_breaker import CircuitBreaker
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.itunes import ITunesProvider
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from models.common.paths import NoHomeError, data_folder

logger = logging.getLogger(__name__)

DEADLINE_SECONDS: Final = 4.0
"""Seconds that a search of all providers may take by default."""


class WallClock:
    """Clocks of this machine."""

    def monotonic(self) -> float:
        """Return the seconds of ``time.monotonic``."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CombinedResult:
    """Songs of all providers, those of remote providers first, and the result of each provider by name."""

    tracks: tuple[Track, ...]
    results: Mapping[str, ProviderResult]
    relaxed: frozenset[Relaxed]

    @property
    def calls(self) -> int:
        """Number of requests that were sent."""
        return sum(result.calls for result in self.results.values())

    @property
    def messages(self) -> tuple[str, ...]:
        """Sentences for the terminal, one for each provider whose result has a detail."""
        return tuple(f"{name} {result.detail}." for name, result in self.results.items() if result.detail)


class ProviderGroup:
    """Several providers that act as one. The bundled catalog adds songs if the others find too few.

    Parameters
    ----------
    live : sequence of CircuitBreaker
        Remote providers, searched concurrently.
    bundled : SongProvider
    clock : Clock
    """

    def __init__(self, live: Sequence[CircuitBreaker], bundled: SongProvider, clock: Clock) -> None:
        self._live = tuple(live)
        self._bundled = bundled
        self._clock = clock

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all providers, the bundled catalog last."""
        return tuple(provider.name for provider in (*self._live, self._bundled))

    @property
    def has_live(self) -> bool:
        """True if a remote provider is set up."""
        return bool(self._live)

    def search(
        self, query: TrackQuery, seconds: float = DEADLINE_SECONDS, *, for_person: bool = False
    ) -> CombinedResult:
        """Search all providers concurrently. A provider that misses the deadline has the status TIMEOUT.

        Parameters
        ----------
        query : TrackQuery
        seconds : float
            Maximum duration of the search.
        for_person : bool
            True if a person clicked or typed. The search may then use the reserved part of a quota.
        """
        return self.start(query, seconds, for_person=for_person).result()

    def start(
        self, query: TrackQuery, seconds: float = DEADLINE_SECONDS, *, for_person: bool = False
    ) -> Pending[CombinedResult]:
        """Start ``search`` in the background. Each remote provider has a thread of its own.

        Only the bundled catalog knows which songs have no lyrics.
        """
        deadline = self._clock.monotonic() + seconds
        live = () if query.language == INSTRUMENTAL else self._live
        searches = {each.name: each.start(query, deadline, for_person=for_person) for each in live}
        work = [future for search in searches.values() for future in search.work]

        def join() -> CombinedResult:
            answers = {name: search.result() for name, search in searches.items()}
            return self._merge(query, deadline, answers)

        return Pending(work, deadline, self._clock, join)

    def _merge(
        self, query: TrackQuery, deadline: float, answers: dict[str, ProviderResult]
    ) -> CombinedResult:
        """Interleave the songs of the remote providers, and append those of the bundled catalog."""
        bundled = self._bundled.search(query, deadline)
        turns = zip_longest(*(result.tracks for result in answers.values()))
        found = tuple(track for turn in turns for track in turn if track is not None)
        if len(found) >= query.limit:  # neither songs nor message of the bundled catalog are needed
            bundled = ProviderResult()
        tracks = (*found, *bundled.tracks)
        relaxed = frozenset[Relaxed]().union(*(result.relaxed for result in (*answers.values(), bundled)))
        return CombinedResult(tracks, answers | {self._bundled.name: bundled}, relaxed)

    def bundled_songs(self, genre: str, limit: int) -> tuple[Track, ...]:
        """Return the songs of a genre in the bundled catalog, of any language and age."""
        return self._bundled.search(TrackQuery(genre, limit=limit), self._clock.monotonic()).tracks


def build_providers(
    clock: Clock,
    environment: Mapping[str, str] = os.environ,
    *,
    folder: Path | None = None,
    seed: int | None = None,
    jitter: Callable[[], float] = random.random,
) -> ProviderGroup:
    """Build the remote providers whose keys are set, each with a circuit breaker, and the bundled catalog.

    ``SPOTIFY_URL``, ``YOUTUBE_URL`` and ``ITUNES_URL`` name servers that replace those services.
    """
    live: list[CircuitBreaker] = []
    client_id, secret = (environment.get(name, "") for name in SPOTIFY_VARIABLES)
    if client_id and secret:
        api = environment.get("SPOTIFY_URL", "https://api.spotify.com")
        accounts = environment.get("SPOTIFY_URL", "https://accounts.spotify.com")
        spotify = SpotifyProvider(client_id, secret, clock, base_url=api, token_url=f"{accounts}/api/token")
        live.append(CircuitBreaker(spotify, clock, jitter))
    if key := environment.get(YOUTUBE_VARIABLE, ""):
        base = environment.get("YOUTUBE_URL", "https://www.googleapis.com")
        try:
            quota = DailyQuota((folder or data_folder()) / "youtube-budget.sqlite", clock)
            live.append(CircuitBreaker(YouTubeProvider(key, clock, quota, base_url=base), clock, jitter))
        except (ValueError, NoHomeError) as error:  # the message does not contain the key
            logger.warning("YouTube is disabled: %s", error)
    if environment.get(ITUNES_VARIABLE) == "1":
        base = environment.get("ITUNES_URL", "https://itunes.apple.com")
        live.append(CircuitBreaker(ITunesProvider(clock, base_url=base), clock, jitter))
    catalog_seed = random.randrange(1 << 30) if seed is None else seed
    return ProviderGroup(live, CatalogProvider(clock, seed=catalog_seed), clock)
