"""Rolling playlist of one session, which follows the estimates and the actions of the user.

The module has no thread, clock or network. The caller passes the time (seconds of one clock), today's date
and the songs. There is one caller at a time. The loop of a page is::

    rolling.add_estimate(now, probabilities, state)
    for query in rolling.next_queries(now):     # search in the background, fill pools[query.genre], then
        rolling.record_results(query, found)    # with the number of songs found
    playlist = rolling.update(pools, now, today)    # the same object until there is a reason for a change
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from dashboard.recommendations.domain.genre_mix import allocate_slots, heaviest_first
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.localized import LocalizedMessage, localize
from dashboard.recommendations.domain.tracks import Relaxed, Track, TrackQuery
from dashboard.recommendations.engine.feedback import FeedbackStore
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import (
    Filters,
    Playlist,
    PlaylistItem,
    Reason,
    SearchOutcome,
    build_notes,
    explain_item,
)
from dashboard.recommendations.engine.ranking import score, unmet_filters
from dashboard.recommendations.engine.refill import RefillPlanner, relaxation_chain
from dashboard.recommendations.engine.settings import PlaylistSettings
from dashboard.recommendations.engine.slots import (
    Candidate,
    SlotAllocator,
    fill_slots,
    find_replaceable,
    place_items,
)


class RollingPlaylist:
    """Playlist that follows the music, without repeating a song or an artist that was shown recently.

    Parameters
    ----------
    settings : PlaylistSettings or None
        Settings, or None for the defaults.
    feedback : FeedbackStore or None
        Feedback of the user, or None for a store in memory.
    filters : Filters or None
        Filters of the user, or None for no filters.
    """

    def __init__(
        self,
        settings: PlaylistSettings | None = None,
        feedback: FeedbackStore | None = None,
        filters: Filters | None = None,
    ) -> None:
        self.settings = settings or PlaylistSettings()
        self.feedback = feedback or FeedbackStore()
        self.filters = filters or Filters()
        self.profile = ListeningProfile(self.settings.profile)
        self.current = Playlist()
        """Current playlist, as of the last ``update`` or action."""
        self._refill = RefillPlanner(self.settings.retry_seconds, self.settings.patience_seconds)
        self._pools: Mapping[str, Sequence[Track]] = {}
        self._candidates: dict[str, list[Candidate]] = {}
        self._candidate_state: tuple[object, ...] = ()
        self._stale_genres: set[str] = set()
        self._shown: set[str] = set()
        self._recent: deque[frozenset[str]] = deque(maxlen=self.settings.size)
        self._slots: dict[str, int] = {}
        self._mix: dict[str, float] = {}
        self._requested_reason: Reason | None = None
        self._reclaims_lent_slots = False
        self.refreshed_at: float | None = None
        """Time of the last allocation of slots, or None before the first one."""
        self.refresh_reason = Reason.WAITING
        """Reason for the last allocation. The playlist may have changed since."""
        self._music_at_refresh = 0.0
        self._now, self._today = 0.0, date.min

    def add_estimate(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Add one estimate. Return True if it counts as music."""
        return self.profile.add_estimate(at_seconds, probabilities, state)

    def set_filters(self, filters: Filters) -> None:
        """Set the filters for the next ``update``."""
        if filters != self.filters:
            self.filters, self._requested_reason = filters, Reason.FILTERS

    def request_refresh(self) -> None:
        """Replace the songs at the next ``update``, as the user requested."""
        self._requested_reason = self._requested_reason or Reason.MANUAL

    def next_queries(self, now: float) -> list[TrackQuery]:
        """Return the queries to send now, as of the last ``update``, the genre with the most weight first.

        Each query is returned once. Without ``record_results`` it is returned again, after 60 s at first
        and then after ever longer times.
        """
        if not self.profile.ready:
            return []
        target = self.profile.target
        wanted = [*heaviest_first(target), *(genre for genre in self._slots if genre not in target)]
        queries = []
        for genre in wanted:
            low = max(self.settings.unseen_low, self._slots.get(genre, 0))
            counted = genre in self._candidates and genre not in self._stale_genres
            width = len(self._refill.active_queries(self._query(genre)))
            if counted and sum(tier < width for tier, _, _ in self._candidates[genre]) < low:
                queries.append(self._refill.next_query(self._query(genre), now))
        return [query for query in queries if query is not None]

    def record_results(self, query: TrackQuery, found: int) -> None:
        """Record the number of songs found for a query of ``next_queries``.

        If fewer than half of the requested songs were found, the pool is exhausted and the next query is
        relaxed. The caller must not record a failed search. Its query is returned again by itself.
        """
        self._refill.record_results(query, found)
        self._stale_genres.add(query.genre)

    def discard_expired(self, genre: str, tracks: Iterable[Track]) -> None:
        """Record that songs may not be kept any longer. Songs that were not shown yet may be found again."""
        if any(self._shown.isdisjoint(identity_keys(track)) for track in tracks):
            self._refill.restart(genre)

    def update(self, pools: Mapping[str, Sequence[Track]], now: float, today: date) -> Playlist:
        """Update the playlist.

        Parameters
        ----------
        pools : mapping of str to sequence of Track
            All songs found so far, by the genre of the query. They may have any language and age. They are
            kept until the next call, so that a skip takes effect at once.
        now : float
            Time in seconds, of the same clock as in ``add_estimate``.
        today : date
            Day from which the age of songs is counted.

        Returns
        -------
        Playlist
            The same object as before if nothing changed.
        """
        self._pools, self._now, self._today = pools, now, today
        self._stale_genres.clear()
        self.feedback.reload()
        if self._compute_candidate_state() != self._candidate_state:
            self._find_candidates()
        reason = self._find_refresh_reason()
        return self._fill_gaps(self._unbanned_items()) if reason is None else self._reallocate(reason)

    def like(self, key: str) -> Playlist:
        """Keep a song in the playlist and count a like for its first artist."""
        for item in self._find_items(key):
            if item.track.artists:
                self.feedback.like(item.track.artists[0], item.track.title)
            return self._replace_item(key, replace(item, liked=True))
        return self.current

    def pin(self, key: str, on: bool = True) -> Playlist:
        """Pin a song. With ``on`` False, remove the pin and the like, so that it may be replaced."""
        for item in self._find_items(key):
            return self._replace_item(key, replace(item, pinned=on, liked=item.liked and on))
        return self.current

    def mark_opened(self, key: str) -> Playlist:
        """Record that the user opened a song. Once most songs are opened, the playlist is refreshed."""
        for item in self._find_items(key):
            return self._replace_item(key, replace(item, opened=True))
        return self.current

    def skip(self, key: str) -> Playlist:
        """Replace a song at once and count a skip for its first artist."""
        for item in self._find_items(key):
            if item.track.artists:
                self.feedback.skip(item.track.artists[0])
            return self._replace_item(key, None)
        return self.current

    def ban(self, key: str) -> Playlist:
        """Ban the first artist of a song and remove the artist's songs at once, even pinned ones."""
        for item in self._find_items(key):
            if item.track.artists:
                self.feedback.ban(item.track.artists[0])
            return self._replace_item(key, None)
        return self.current

    def _find_items(self, key: str) -> list[PlaylistItem]:
        return [item for item in self.current.items if item.key == key]

    def _query(self, genre: str) -> TrackQuery:
        return self.filters.query(genre, self.settings.pool_depth)

    def _replace_item(self, key: str, after: PlaylistItem | None) -> Playlist:
        """Replace a song by its changed item, or remove it if ``after`` is None."""
        self._find_candidates()
        items = [after if item is not None and item.key == key else item for item in self._unbanned_items()]
        return self._fill_gaps(items, Reason.CHOICE)

    def _unbanned_items(self) -> list[PlaylistItem | None]:
        """Return the items, with None for songs whose artist was banned since, here or on another page."""
        banned = self.feedback.is_banned
        return [None if banned(artist_keys(item.track.artists)) else item for item in self.current.items]

    def _find_refresh_reason(self) -> Reason | None:
        """Return the reason for a refresh, or None if none is due."""
        if not self.profile.ready:
            return None
        if not self._slots:
            return Reason.FIRST
        if self._requested_reason is not None:
            return self._requested_reason
        if self.profile.has_changed(self._now):
            return Reason.SHIFT
        unopened = sum(not item.opened for item in self.current.items)
        opened = any(item.opened and not item.is_kept for item in self.current.items)
        if opened and unopened < self.settings.unseen_low and any(self._candidates.values()):
            return Reason.UNSEEN
        played = self.profile.music_seconds - self._music_at_refresh
        waited = self._now - (self.refreshed_at or 0.0)
        enough = min(self.settings.profile.first_music_seconds, self.settings.timer_seconds)
        return Reason.TIMER if waited >= self.settings.timer_seconds and played >= enough else None

    def _reallocate(self, reason: Reason) -> Playlist:
        """Allocate the slots again, and replace songs as far as the reason allows."""
        self._requested_reason, self.refreshed_at, self.refresh_reason = None, self._now, reason
        self._music_at_refresh = self.profile.music_seconds
        self.profile.mark_refreshed(self._now)
        self._mix = self.profile.target
        items = self._unbanned_items()
        outside = sum(item is not None and item.is_kept and item.genre not in self._mix for item in items)
        self._slots = allocate_slots(self._mix, max(1, self.settings.size - outside))
        # A timer refresh limits the number of swaps until the next refresh.
        self._reclaims_lent_slots = reason is not Reason.TIMER
        if reason is Reason.FILTERS:
            self._find_candidates()
            items = [
                item
                if item is None or item.is_kept or not self._unmet_filters(item.track, item.genre)
                else None
                for item in items
            ]
        allocator = SlotAllocator(self.settings.size, self._slots, tuple(items))
        replaceable = find_replaceable(allocator, reason, self.settings.swap_share)
        return self._fill(allocator, replaceable, reason, lend=allocator.size)

    def _fill_gaps(self, items: Sequence[PlaylistItem | None], reason: Reason | None = None) -> Playlist:
        """Fill empty slots, and slots that were lent to another genre until songs of their genre arrive."""
        allocator = SlotAllocator(self.settings.size, self._slots, tuple(items))
        replaceable = allocator.surplus() if self._reclaims_lent_slots else []
        if reason is None and None in items:
            reason = Reason.CHOICE
        elif reason is None and not self._shown:
            reason = Reason.FIRST if self._slots else Reason.WAITING
        elif reason is None:
            reason = Reason.ARRIVED if items else self.current.reason
        return self._fill(allocator, replaceable, reason, lend=allocator.empty_slots)

    def _fill(
        self, allocator: SlotAllocator, replaceable: Sequence[PlaylistItem], reason: Reason, lend: int
    ) -> Playlist:
        """Fill the free and replaceable slots with songs and publish the result."""
        shown_now = (artist_keys(item.track.artists) for item in self.current.items)
        waiting = {genre for genre in self._slots if self._refill.is_pending(self._query(genre), self._now)}
        relevance = self.settings.ranking.relevance
        blocked = frozenset().union(*self._recent, *shown_now)
        picked = fill_slots(allocator, replaceable, self._candidates, blocked, waiting, relevance, lend)
        new_items = [self._build_item(track, genre) for track, genre in picked]
        for item in new_items:
            self._shown |= identity_keys(item.track)
            self._recent.append(artist_keys(item.track.artists))
        if new_items:
            self._find_candidates()
        return self._publish(place_items(allocator, replaceable, new_items), reason, waiting)

    def _unmet_filters(self, track: Track, genre: str) -> frozenset[Relaxed]:
        return unmet_filters(track, self._query(genre), self._today)

    def _build_item(self, track: Track, genre: str) -> PlaylistItem:
        preference = self.feedback.preference(artist_keys(track.artists))
        reasons = explain_item(
            track, genre, self.filters, self.profile.seconds_since_leading(genre), preference, self._today
        )
        return PlaylistItem(
            track, genre, reasons, self._unmet_filters(track, genre), added_in=self.current.number + 1
        )

    def _compute_candidate_state(self) -> tuple[object, ...]:
        """Return the inputs of the candidates, so that they are computed only after a change."""
        genres = {**self.profile.target, **self._slots}
        known: list[object] = []
        for genre in sorted(genres):  # a pool may lose its first songs while others are appended
            pool = self._pools.get(genre, ())
            query = self._query(genre)
            width, overdue = (
                len(self._refill.active_queries(query)),
                self._refill.is_overdue(query, self._now),
            )
            known.append((genre, len(pool), pool[-1:], width, overdue))
        return (known, len(self._shown), self.filters, self._today, self.feedback.revision)

    def _find_candidates(self) -> None:
        """Find the candidates of each genre. If a search is overdue, songs beyond the filters count too."""
        self._candidate_state, self._candidates = self._compute_candidate_state(), {}
        for genre in {**self.profile.target, **self._slots}:
            query = self._query(genre)
            songs = self._find_passing(genre, self._refill.active_queries(query))
            if not songs and self._refill.is_overdue(query, self._now):
                songs = self._find_passing(genre, relaxation_chain(query))
            self._candidates[genre] = songs

    def _find_passing(self, genre: str, active_queries: Sequence[TrackQuery]) -> list[Candidate]:
        """Return the songs of a genre that were not shown yet, each with the relaxation that it needs."""
        target, ranking, songs = self.profile.target, self.settings.ranking, []
        for track in self._pools.get(genre, ()):
            artists = artist_keys(track.artists)
            if not self._shown.isdisjoint(identity_keys(track)) or self.feedback.is_banned(artists):
                continue
            passed = (
                tier
                for tier, query in enumerate(active_queries)
                if not unmet_filters(track, query, self._today)
            )
            if (tier := next(passed, None)) is not None:
                preference = self.feedback.preference(artists)
                points = score(track, active_queries[0], target, self._today, preference, ranking)
                songs.append((tier, points, track))
        return songs

    def _publish(self, items: tuple[PlaylistItem, ...], reason: Reason, waiting: Collection[str]) -> Playlist:
        """Return a playlist with these items, or the current one if it is equal."""
        # Kept songs are compared with filters that the user set later.
        items = tuple(replace(item, relaxed=self._unmet_filters(item.track, item.genre)) for item in items)
        before, notes = self.current, self._build_notes(items, waiting)
        if items != before.items or notes != before.notes or self._mix != before.mix:
            shown_reason = reason if items != before.items or not items else before.reason
            self.current = Playlist(items, shown_reason, before.number + 1, notes, self._mix)
        return self.current

    def _build_notes(
        self, items: Sequence[PlaylistItem], waiting: Collection[str]
    ) -> tuple[LocalizedMessage, ...]:
        """Return the messages that the page shows with the playlist."""
        notes = [self.feedback.error] if self.feedback.error else []
        if not self._slots:
            seconds = self.settings.profile.first_music_seconds
            return (*notes, localize("note.waiting", seconds=f"{seconds:.0f}"))
        if len(items) == self.settings.size and all(item.is_kept for item in items):
            notes.append(localize("note.pinned"))
        missing = Counter(self._slots) - Counter(item.genre for item in items)
        found: dict[SearchOutcome, list[str]] = {kind: [] for kind in SearchOutcome}
        for genre in heaviest_first(self._slots):
            query, candidates = self._query(genre), self._candidates.get(genre, ())
            if not candidates and self._refill.is_exhausted(query):
                found[SearchOutcome.ENDED].append(genre)
                continue
            if len(self._refill.active_queries(query)) > 1 and not any(
                tier == 0 for tier, _, _ in candidates
            ):
                passing = any(not self._unmet_filters(track, genre) for track in self._pools.get(genre, ()))
                found[SearchOutcome.SHOWN if passing else SearchOutcome.NONE].append(genre)
            if genre in waiting and missing[genre] > 0 and not candidates:
                found[SearchOutcome.LOOKING].append(genre)
        return (*notes, *build_notes(found, self.filters))
