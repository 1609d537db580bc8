"""Recommendation service of one user: feeds estimates to the rolling playlist and searches the providers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery
from dashboard.recommendations.engine.playlist import Filters, Playlist, Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.background import Pending, ready
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from dashboard.recommendations.providers.circuit_breaker import HEALTHY, REFUSED
from dashboard.recommendations.providers.registry import Answer, ProviderGroup
from dashboard.recommendations.providers.spotify.page_cache import CACHE_SECONDS
from realtime.protocol.messages import EstimatePayload

logger = logging.getLogger(__name__)

MAX_TRACKS = 2_000
"""Songs kept for each genre. A playlist that runs all day requests fewer."""

LIFE_SECONDS: Final = {"Spotify": CACHE_SECONDS}
"""Seconds for which the terms of a provider allow songs to be kept. All providers here have the same limit.
A song in the playlist stays until it leaves the playlist."""

BY_PERSON: Final = frozenset({Reason.MANUAL, Reason.FILTERS})
"""Reasons for a refresh that come from the user. Searches for such a refresh may use the quota that
providers reserve for users."""

HOLD_SECONDS: Final = 0.8
"""Seconds that an update waits for search results while slots are empty. Results that are available at once
appear at once, and the filters are relaxed within the same update as far as needed."""

MAX_STEPS: Final = 40
"""Searches in one update: enough for three genres with four widths of the filters and some pages each."""

FINAL = REFUSED | {Status.OK, Status.EMPTY, Status.OFF, Status.QUOTA}
"""Statuses after which a provider would give the same result again. Other searches are repeated."""


class Estimate(Protocol):
    """Estimate with its time, such as ``dashboard.analyzer.snapshot.ReceivedEstimate``."""

    @property
    def at(self) -> float:
        """Position in the audio, in seconds."""
        ...

    @property
    def estimate(self) -> EstimatePayload:
        """Payload of the estimate message."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Result of a provider with the number of its songs. The songs themselves may not be kept for long."""

    result: ProviderResult
    songs: int


class RecommendationService:
    """Rolling playlist with its searches, for one caller at a time. A call waits at most ``HOLD_SECONDS``.

    Searches are sent one after the other, because concurrent searches would share the same deadline.

    Parameters
    ----------
    providers : ProviderGroup
        Providers that are searched.
    rolling_playlist : RollingPlaylist
        Playlist that receives the estimates and the songs.
    clock : Clock
        Source of the time and of today's date.
    """

    def __init__(self, providers: ProviderGroup, session: RollingPlaylist, clock: Clock) -> None:
        self.session = session
        self.calls = 0
        """Requests sent to providers so far."""
        self._providers = providers
        self._clock = clock
        self._pools: dict[str, list[Track]] = {}
        self._short_lived: deque[tuple[float, str, Track]] = deque()
        """Time of arrival, genre of the pool and song, the oldest first."""
        self._wanted: deque[tuple[TrackQuery, bool]] = deque()
        """Queries to send next, each with True if the user requested it."""
        self._asking: tuple[TrackQuery, Pending[Answer]] | None = None
        self._known: dict[str, set[tuple[str, str]]] = {}
        self._told: dict[str, dict[str, ProviderReport]] = {}
        self._sound_at = float("-inf")
        self._began = clock.monotonic()

    def look(self, heard: Iterable[Estimate], filters: Filters, *, ask: bool = True) -> Playlist:
        """Add the estimates since the last update and return the current playlist.

        Parameters
        ----------
        estimates : iterable of Estimate
            Estimates received since the last update, in order.
        filters : Filters
            Filters of the user.
        search : bool
            False to search no provider, even if songs are missing.
        """
        for each in heard:
            self._sound_at = max(self._sound_at, each.at)
            said = each.estimate
            self.session.hear(self._sound_at, said.probabilities, said.state)
        if filters != self.session.filters:
            self._told.clear()
            self._wanted.clear()
        self.session.set_filters(filters)
        self._forget()
        self._answered_by(self._clock.monotonic())
        until = self._clock.monotonic() + HOLD_SECONDS
        for _ in range(MAX_STEPS):
            playlist = self.session.offer(self._pools, self.now, self._clock.now().date())
            if not ask:
                self._wanted.clear()
                break
            for_person = self.session.refresh_reason in BY_PERSON
            self._wanted.extend((query, for_person) for query in self.session.needs(self.now))
            self._ask()
            if len(playlist.rows) >= self.session.settings.rows or not self._answered_by(until):
                break
        return self.session.playlist

    def _answered_by(self, moment: float) -> bool:
        """Wait for the running search and add its songs. Return False if there is none by the deadline."""
        if self._asking is None:
            return False
        query, pending = self._asking
        if not pending.wait(moment - self._clock.monotonic()):
            return False
        self._take(query, pending.result())
        return True

    @property
    def now(self) -> float:
        """Seconds since the service was created."""
        return self._clock.monotonic() - self._began

    @property
    def told(self) -> dict[str, ProviderReport | None]:
        """Latest report of each provider under these filters, or None before its first result.

        A provider has a result for each genre. The report shows a fault before other results, and counts
        the songs of all genres.
        """
        return {name: self._told_by(name) for name in self._providers.names}

    def _told_by(self, name: str) -> ProviderReport | None:
        everything = [told[name] for told in self._told.values() if name in told]
        if not everything:
            return None
        worst = max(everything, key=lambda told: (told.result.status not in HEALTHY, told.songs))
        return replace(worst, songs=sum(told.songs for told in everything))

    def act(self, kind: str, key: str) -> None:
        """Apply an action of the user to a song. A second ``like`` or ``pin`` undoes the first.

        Parameters
        ----------
        kind : str
            ``like``, ``pin``, ``skip``, ``ban`` or ``open``.
        key : str
            Key of the song. A key that is no longer in the playlist is ignored.
        """
        row = next((row for row in self.session.playlist.rows if row.key == key), None)
        if row is None:
            return  # the song has left the playlist since the page was drawn
        if kind == "like" and not row.liked:
            self.session.like(key)
        elif kind in ("like", "pin"):
            self.session.pin(key, on=kind == "pin" and not row.pinned)
        elif kind == "skip":
            self.session.skip(key)
        elif kind == "ban":
            self.session.ban(key)
        elif kind == "open":
            self.session.opened(key)

    def _ask(self) -> None:
        if self._asking is not None or not self._wanted:
            return
        query, for_person = self._wanted.popleft()
        try:
            pending = self._providers.start(query, for_person=for_person)
        except Exception:  # the page continues with the songs that it has
            logger.exception("the search for songs failed")
            pending = ready(Answer((), {}, frozenset()), self._clock)
        self._asking = (query, pending)

    def _forget(self) -> None:
        """Remove the songs that may not be kept any longer. A later search may find them again."""
        old: dict[str, list[Track]] = {}
        while self._short_lived and self._is_over(*self._short_lived[0]):
            _, genre, track = self._short_lived.popleft()
            old.setdefault(genre, []).append(track)
            self._known[genre].discard(_identity(track))
        for genre, tracks in old.items():
            gone = {id(track) for track in tracks}
            self._pools[genre] = [track for track in self._pools[genre] if id(track) not in gone]
            self.session.forgotten(genre, tracks)

    def _is_over(self, came: float, genre: str, track: Track) -> bool:
        return self.now - came >= LIFE_SECONDS[track.provider]

    def _take(self, query: TrackQuery, answer: Answer) -> None:
        self._asking = None
        self.calls += answer.calls
        results = answer.results.values()
        told = self._told.setdefault(query.genre, {})
        for name, result in answer.results.items():
            # An empty further page does not mean that the provider found no songs.
            if result.status is not Status.EMPTY or not (name in told and told[name].songs):
                told[name] = ProviderReport(replace(result, tracks=()), len(result.tracks))
        pool, known = self._pools.setdefault(query.genre, []), self._known.setdefault(query.genre, set())
        for track in answer.tracks:
            identity = _identity(track)
            if identity not in known and len(pool) < MAX_TRACKS:
                known.add(identity)
                pool.append(track)
                if track.provider in LIFE_SECONDS:
                    self._short_lived.append((self.now, query.genre, track))
        if all(each.status in FINAL for each in results):
            # Songs of any age, which replace missing newer ones, are no reason to request a further page.
            asked_for = [each for each in results if Relaxed.RANGE not in each.relaxed]
            self.session.answered(query, sum(len(each.tracks) for each in asked_for))


def _identity(track: Track) -> tuple[str, str]:
    return (track.provider, track.provider_id or track.url)
