"""One reader's songs: estimates go in, a session decides, providers are asked in the background."""

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
"""Songs of one genre that are kept: more than a day's session asks for."""

LIFE_SECONDS: Final = {"Spotify": CACHE_SECONDS}
"""By provider, for how long its terms allow songs to be kept; all the same length. What is in the list
stays there until it leaves it."""

BY_PERSON: Final = frozenset({Reason.MANUAL, Reason.FILTERS})
"""Why a list was made anew when a person asked for it; searches for such a list may use what providers
keep back for a person."""

HOLD_SECONDS: Final = 0.8
"""So long at most a look waits for answers while places are empty: what is at hand is there at once, and
filters are widened in the same look as far as it takes."""

MAX_STEPS: Final = 40
"""Of one look: three genres, each with four widths of filters and some pages."""

FINAL = REFUSED | {Status.OK, Status.EMPTY, Status.OFF, Status.QUOTA}
"""After these a provider would say the same again; after others the question is worth repeating."""


class Estimate(Protocol):
    """What is needed of ``dashboard.analyzer.snapshot.ReceivedEstimate``."""

    @property
    def at(self) -> float:
        """Seconds of sound."""
        ...

    @property
    def estimate(self) -> EstimatePayload:
        """The payload of the message."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """What a provider said; its songs only as a number, for they may not be kept for long."""

    result: ProviderResult
    songs: int


class RecommendationService:
    """A session and its supply of songs; one caller at a time, which waits ``HOLD_SECONDS`` at most.

    Searches are sent one after the other, for together they would take each other's time.

    Parameters
    ----------
    providers : Providers
    session : Session
    clock : Clock
    """

    def __init__(self, providers: ProviderGroup, session: RollingPlaylist, clock: Clock) -> None:
        self.session = session
        self.calls = 0
        """Requests that were sent in this session."""
        self._providers = providers
        self._clock = clock
        self._pools: dict[str, list[Track]] = {}
        self._short_lived: deque[tuple[float, str, Track]] = deque()
        """When it came, whose pool it is in, and the song; the oldest first."""
        self._wanted: deque[tuple[TrackQuery, bool]] = deque()
        """What is to be asked next, and whether for a person."""
        self._asking: tuple[TrackQuery, Pending[Answer]] | None = None
        self._known: dict[str, set[tuple[str, str]]] = {}
        self._told: dict[str, dict[str, ProviderReport]] = {}
        self._sound_at = float("-inf")
        self._began = clock.monotonic()

    def look(self, heard: Iterable[Estimate], filters: Filters, *, ask: bool = True) -> Playlist:
        """Take in what came since the last look; return the list for now.

        With ``ask`` false no provider is asked, whatever is needed.
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
        """Wait for the answer that is on its way, and take it; tell whether it came."""
        if self._asking is None:
            return False
        query, pending = self._asking
        if not pending.wait(moment - self._clock.monotonic()):
            return False
        self._take(query, pending.result())
        return True

    @property
    def now(self) -> float:
        """Seconds since the session began."""
        return self._clock.monotonic() - self._began

    @property
    def told(self) -> dict[str, ProviderReport | None]:
        """What each provider said last under these filters; None while it has said nothing.

        Of what it said about several genres a fault comes first; songs are counted together.
        """
        return {name: self._told_by(name) for name in self._providers.names}

    def _told_by(self, name: str) -> ProviderReport | None:
        everything = [told[name] for told in self._told.values() if name in told]
        if not everything:
            return None
        worst = max(everything, key=lambda told: (told.result.status not in HEALTHY, told.songs))
        return replace(worst, songs=sum(told.songs for told in everything))

    def act(self, kind: str, key: str) -> None:
        """What the person chose: ``like``, ``pin``, ``skip``, ``ban``, ``open``; a pin or like said again is
        taken back.
        """
        row = next((row for row in self.session.playlist.rows if row.key == key), None)
        if row is None:
            return  # it has gone meanwhile
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
        except Exception:  # the page goes on with the songs that it has
            logger.exception("the search for songs broke")
            pending = ready(Answer((), {}, frozenset()), self._clock)
        self._asking = (query, pending)

    def _forget(self) -> None:
        """Drop the songs whose time is over, and that they were there: they may come again."""
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
            # Whoever gave songs does not know none because a further page of them was empty.
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
            # Songs of any age, given for want of newer ones, are no reason to ask for a next page of them.
            asked_for = [each for each in results if Relaxed.RANGE not in each.relaxed]
            self.session.answered(query, sum(len(each.tracks) for each in asked_for))


def _identity(track: Track) -> tuple[str, str]:
    return (track.provider, track.provider_id or track.url)
