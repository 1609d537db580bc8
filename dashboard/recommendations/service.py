"""Recommendation service of one user: feeds estimates to the rolling playlist and searches the providers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.engine.playlist import Filters, Playlist, Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.background import Pending, ready
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from dashboard.recommendations.providers.circuit_breaker import HEALTHY, REFUSED
from dashboard.recommendations.providers.registry import CombinedResult, ProviderGroup
from dashboard.recommendations.providers.spotify.page_cache import CACHE_SECONDS
from realtime.protocol.messages import EstimatePayload

logger = logging.getLogger(__name__)

MAX_TRACKS = 2_000
"""Maximum number of songs kept for each genre. A playlist that runs all day needs fewer."""

RETENTION_SECONDS: Final = {"Spotify": CACHE_SECONDS}
"""Seconds for which the terms of a provider allow songs to be kept. The limits must be equal, since songs are
discarded in the order of arrival. Songs in the playlist stay until they leave the playlist."""

MAX_WAIT_SECONDS: Final = 0.8
"""Seconds that an update waits for search results while slots are empty. Results that are available at once
appear at once."""

MAX_SEARCHES: Final = 40
"""Maximum number of searches in one update, enough for some pages of three genres in three languages."""

FINAL_STATUSES = REFUSED | {Status.OK, Status.EMPTY, Status.OFF, Status.QUOTA}
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
    """Rolling playlist with its searches, for one caller at a time.

    An update waits at most ``MAX_WAIT_SECONDS``. Searches are sent one after the other, because concurrent
    searches would share the same deadline.

    Parameters
    ----------
    providers : ProviderGroup
        Providers that are searched.
    rolling_playlist : RollingPlaylist
        Playlist that receives estimates and songs.
    clock : Clock
        Source of the time and of today's date.
    """

    def __init__(self, providers: ProviderGroup, rolling_playlist: RollingPlaylist, clock: Clock) -> None:
        self.rolling_playlist = rolling_playlist
        self.calls = 0
        """Requests sent to providers so far."""
        self._providers = providers
        self._clock = clock
        self._pools: dict[str, list[Track]] = {}
        self._expiring: deque[tuple[float, str, Track]] = deque()
        """Time of arrival, genre of the pool and song, the oldest first."""
        self._queued: deque[tuple[TrackQuery, bool]] = deque()
        """Queries to send next, each with True for a request of the user."""
        self._running: tuple[TrackQuery, Pending[CombinedResult]] | None = None
        self._known_tracks: dict[str, set[tuple[str, str]]] = {}
        self._reports: dict[tuple[str, str | None], dict[str, ProviderReport]] = {}
        """Report of each provider, by genre and language of the query."""
        self._audio_at = float("-inf")
        self._filters_by_titles = False
        self._started_at = clock.monotonic()

    def update(
        self,
        estimates: Iterable[Estimate],
        filters: Filters,
        *,
        search: bool = True,
        is_seen: bool = True,
        playing: frozenset[str] = frozenset(),
        by_titles: bool = False,
    ) -> Playlist:
        """Add the estimates since the last update and return the current playlist.

        Parameters
        ----------
        estimates : iterable of Estimate
            Estimates received since the last update, in order.
        filters : Filters
            Filters of the user.
        search : bool
            False to search no provider, even if songs are missing.
        is_seen : bool
            True if the user sees the playlist.
        playing : frozenset of str
            Identity keys of the song that plays.
        by_titles : bool
            True if the user changed no filter. Then a change of ``filters`` comes from the titles that play.
        """
        for each in estimates:
            self._audio_at = max(self._audio_at, each.at)
            estimate = each.estimate
            self.rolling_playlist.add_estimate(self._audio_at, estimate.probabilities, estimate.state)
        if filters.scope != self.rolling_playlist.filters.scope:
            self._reports.clear()
            self._queued.clear()
            self._filters_by_titles = by_titles
        self.rolling_playlist.set_filters(filters)
        self._discard_expired()
        self._wait_for_results(self._clock.monotonic())
        until = self._clock.monotonic() + MAX_WAIT_SECONDS
        for _ in range(MAX_SEARCHES):
            playlist = self.rolling_playlist.update(
                self._pools, self.now, self._clock.now().date(), is_seen=is_seen, playing=playing
            )
            if not search:
                self._queued.clear()
                break
            for_person = self._is_requested()
            self._queued.extend((query, for_person) for query in self.rolling_playlist.next_queries(self.now))
            self._start_search()
            if len(playlist.items) >= self.rolling_playlist.settings.size or not self._wait_for_results(
                until
            ):
                break
        return self.rolling_playlist.current

    def _is_requested(self) -> bool:
        """Return whether the user requested the last refresh, whose searches may use a reserved quota."""
        reason = self.rolling_playlist.refresh_reason
        return reason is Reason.MANUAL or (reason is Reason.FILTERS and not self._filters_by_titles)

    def _wait_for_results(self, deadline: float) -> bool:
        """Wait for the running search and add its songs. Return False without results by the deadline."""
        if self._running is None:
            return False
        query, pending = self._running
        if not pending.wait(deadline - self._clock.monotonic()):
            return False
        self._add_results(query, pending.result())
        return True

    @property
    def now(self) -> float:
        """Seconds since the service was created."""
        return self._clock.monotonic() - self._started_at

    @property
    def reports(self) -> dict[str, ProviderReport | None]:
        """Latest report of each provider under these filters, or None before its first result.

        A provider has a result for each genre and language. The report shows a fault before other results,
        and counts the songs of all genres and languages.
        """
        return {name: self._combine_reports(name) for name in self._providers.names}

    def _combine_reports(self, name: str) -> ProviderReport | None:
        reports = [by_provider[name] for by_provider in self._reports.values() if name in by_provider]
        if not reports:
            return None
        worst = max(reports, key=lambda report: (report.result.status not in HEALTHY, report.songs))
        return replace(worst, songs=sum(report.songs for report in reports))

    def apply(self, kind: str, key: str) -> None:
        """Apply an action of the user to a song. A second ``like`` or ``pin`` undoes the first.

        Parameters
        ----------
        kind : str
            ``like``, ``pin``, ``skip``, ``ban`` or ``open``.
        key : str
            Key of the song. A key that is no longer in the playlist is ignored.
        """
        item = next((item for item in self.rolling_playlist.current.items if item.key == key), None)
        if item is None:
            return  # the song has left the playlist since the page was drawn
        if kind == "like" and not item.liked:
            self.rolling_playlist.like(key)
        elif kind in ("like", "pin"):
            self.rolling_playlist.pin(key, on=kind == "pin" and not item.pinned)
        elif kind == "skip":
            self.rolling_playlist.skip(key)
        elif kind == "ban":
            self.rolling_playlist.ban(key)
        elif kind == "open":
            self.rolling_playlist.mark_opened(key)

    def _start_search(self) -> None:
        if self._running is not None or not self._queued:
            return
        query, for_person = self._queued.popleft()
        try:
            pending = self._providers.start(query, for_person=for_person)
        except Exception:  # the page continues with the songs that it has
            logger.exception("the search for songs failed")
            pending = ready(CombinedResult((), {}, frozenset()), self._clock)
        self._running = (query, pending)

    def _discard_expired(self) -> None:
        """Remove the songs that may not be kept any longer. A later search may find them again."""
        expired: dict[str, list[Track]] = {}
        while self._expiring and self._is_expired(*self._expiring[0]):
            _, genre, track = self._expiring.popleft()
            expired.setdefault(genre, []).append(track)
            self._known_tracks[genre].discard(_track_key(track))
        for genre, tracks in expired.items():
            gone = {id(track) for track in tracks}
            self._pools[genre] = [track for track in self._pools[genre] if id(track) not in gone]
            self.rolling_playlist.discard_expired(genre, tracks)

    def _is_expired(self, received_at: float, genre: str, track: Track) -> bool:
        return self.now - received_at >= RETENTION_SECONDS[track.provider]

    def _add_results(self, query: TrackQuery, answer: CombinedResult) -> None:
        self._running = None
        self.calls += answer.calls
        results = answer.results.values()
        reports = self._reports.setdefault((query.genre, query.language), {})
        for name, result in answer.results.items():
            # An empty further page does not mean that the provider found no songs.
            if result.status is not Status.EMPTY or not (name in reports and reports[name].songs):
                reports[name] = ProviderReport(replace(result, tracks=()), len(result.tracks))
        pool = self._pools.setdefault(query.genre, [])
        known = self._known_tracks.setdefault(query.genre, set())
        tracks = answer.tracks
        if (
            answer.results and len(tracks) < query.limit
        ):  # the page counts the songs beyond the filters and may include them
            tracks = (*tracks, *self._providers.bundled_songs(query.genre, MAX_TRACKS))
        for track in tracks:
            identity = _track_key(track)
            if identity not in known and len(pool) < MAX_TRACKS:
                known.add(identity)
                pool.append(track)
                if track.provider in RETENTION_SECONDS:
                    self._expiring.append((self.now, query.genre, track))
        if all(each.status in FINAL_STATUSES for each in results):
            self.rolling_playlist.record_results(query, sum(len(each.tracks) for each in results))


def _track_key(track: Track) -> tuple[str, str]:
    return (track.provider, track.provider_id or track.url)
