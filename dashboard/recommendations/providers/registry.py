"""Which providers there are, by the keys in the environment, and asking all of them at once."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Final

from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery, relax
from dashboard.recommendations.providers.background import Pending
from dashboard.recommendations.providers.base import Clock, ProviderResult, SongProvider
from dashboard.recommendations.providers.catalogue.provider import CatalogueProvider
from dashboard.recommendations.providers.circuit_breaker import CircuitBreaker
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.itunes import ITunesProvider
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from models.common.paths import data_folder

logger = logging.getLogger(__name__)

DEADLINE_SECONDS: Final = 4.0

SPOTIFY_KEYS: Final = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET")
YOUTUBE_KEY: Final = "YOUTUBE_API_KEY"
ITUNES: Final = "ITUNES_SEARCH"
"""Set to 1 to ask iTunes' search too, which needs no key."""


class WallClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """What all providers said: songs, those of live providers first, and each one's result by its name."""

    tracks: tuple[Track, ...]
    results: Mapping[str, ProviderResult]
    relaxed: frozenset[Relaxed]

    @property
    def calls(self) -> int:
        """Requests that were sent."""
        return sum(result.calls for result in self.results.values())

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the page says of each provider that has something to say."""
        told = {name: result.detail for name, result in self.results.items() if result.detail}
        return tuple(said if said.startswith(name) else f"{name}: {said}" for name, said in told.items())


class ProviderGroup:
    """All providers as one; the bundled list fills what the others do not have.

    Parameters
    ----------
    live : sequence of Guarded
        Asked at the same time.
    bundled : Provider
    clock : Clock
    """

    def __init__(self, live: Sequence[CircuitBreaker], bundled: SongProvider, clock: Clock) -> None:
        self._live = tuple(live)
        self._bundled = bundled
        self._clock = clock

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them, the bundled list last."""
        return tuple(provider.name for provider in (*self._live, self._bundled))

    def search(
        self, query: TrackQuery, seconds: float = DEADLINE_SECONDS, *, for_person: bool = False
    ) -> Answer:
        """Ask all at once; a provider that has not answered in time is reported as late.

        Parameters
        ----------
        query : TrackQuery
        seconds : float
            How long it may take.
        for_person : bool
            A person clicked or typed: what providers keep back for that may be used.
        """
        return self.start(query, seconds, for_person=for_person).result()

    def start(
        self, query: TrackQuery, seconds: float = DEADLINE_SECONDS, *, for_person: bool = False
    ) -> Pending[Answer]:
        """Begin to ask all at once, as ``search``; each live provider has a thread of its own."""
        deadline = self._clock.monotonic() + seconds
        searches = {each.name: each.start(query, deadline, for_person=for_person) for each in self._live}
        work = [future for search in searches.values() for future in search.work]

        def join() -> Answer:
            answers = {name: search.result() for name, search in searches.items()}
            return self._joined(query, deadline, answers)

        return Pending(work, deadline, self._clock, join)

    def _joined(self, query: TrackQuery, deadline: float, answers: dict[str, ProviderResult]) -> Answer:
        """Put the songs of live providers in turns, then those of the bundled list."""
        bundled = self._bundled.search(query, deadline)
        turns = zip_longest(*(result.tracks for result in answers.values()))
        found = tuple(track for turn in turns for track in turn if track is not None)
        if len(found) >= query.limit:  # the bundled list is not needed, and has nothing to say
            bundled = ProviderResult()
        tracks = (*found, *bundled.tracks)
        relaxed = frozenset[Relaxed]().union(*(result.relaxed for result in (*answers.values(), bundled)))
        return Answer(tracks, answers | {self._bundled.name: bundled}, relaxed)

    def search_widening(
        self, query: TrackQuery, seconds: float = DEADLINE_SECONDS, *, for_person: bool = False
    ) -> Answer:
        """As ``search``, with filters widened one after the other until there are songs."""
        deadline = self._clock.monotonic() + seconds
        answer, widened = self.search(query, seconds, for_person=for_person), frozenset[Relaxed]()
        while not answer.tracks and (step := relax(query)):
            query, what = step
            widened |= {what}
            left = max(0.0, deadline - self._clock.monotonic())
            answer = self.search(query, left, for_person=for_person)
        return replace(answer, relaxed=answer.relaxed | widened)


def build_providers(
    clock: Clock,
    environment: Mapping[str, str] = os.environ,
    *,
    folder: Path | None = None,
    seed: int | None = None,
    jitter: Callable[[], float] = random.random,
) -> ProviderGroup:
    """Those whose keys are set, each guarded; the bundled list always.

    ``SPOTIFY_URL``, ``YOUTUBE_URL`` and ``ITUNES_URL`` stand for other
    servers that answer as those services do.
    """
    live: list[CircuitBreaker] = []
    identity, secret = (environment.get(name, "") for name in SPOTIFY_KEYS)
    if identity and secret:
        api = environment.get("SPOTIFY_URL", "https://api.spotify.com")
        accounts = environment.get("SPOTIFY_URL", "https://accounts.spotify.com")
        spotify = SpotifyProvider(identity, secret, clock, base_url=api, token_url=f"{accounts}/api/token")
        live.append(CircuitBreaker(spotify, clock, jitter))
    if key := environment.get(YOUTUBE_KEY, ""):
        base = environment.get("YOUTUBE_URL", "https://www.googleapis.com")
        budget = DailyQuota((folder or data_folder()) / "youtube-budget.sqlite", clock)
        try:
            live.append(CircuitBreaker(YouTubeProvider(key, clock, budget, base_url=base), clock, jitter))
        except ValueError as error:  # it says what is wrong with the key, and not which it is
            logger.warning("YouTube is left out: %s", error)
    if environment.get(ITUNES) == "1":
        base = environment.get("ITUNES_URL", "https://itunes.apple.com")
        live.append(CircuitBreaker(ITunesProvider(clock, base_url=base), clock, jitter))
    shuffled = random.randrange(1 << 30) if seed is None else seed
    return ProviderGroup(live, CatalogueProvider(clock, seed=shuffled), clock)
