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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from dashboard.recommendations.domain.genre_mix import allocate_slots, heaviest_first, reserve_slots
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.localized import LocalizedMessage, localize
from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.engine.candidates import CandidateIndex, count_beyond, find_outcome
from dashboard.recommendations.engine.feedback import FeedbackStore
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import (
    BEFORE_SONGS,
    Filters,
    Playlist,
    PlaylistItem,
    Reason,
    SearchOutcome,
    build_notes,
    explain_item,
)
from dashboard.recommendations.engine.refresh_timer import RefreshTimer
from dashboard.recommendations.engine.searches import Searches
from dashboard.recommendations.engine.settings import PlaylistSettings
from dashboard.recommendations.engine.shown_songs import ShownSongs
from dashboard.recommendations.engine.slots import (
    SlotAllocator,
    fill_slots,
    find_replaceable,
    keep_passing,
    place_items,
    put_first,
    rotate,
)


class RollingPlaylist:
    """Playlist that follows the music, without repeating a song or an artist that was shown recently.

    Every song passes the filters, or lies beyond a filter that the user includes. If too few songs pass, the
    playlist is shorter.

    Parameters
    ----------
    settings : PlaylistSettings or None
        Settings, or None for the defaults.
    feedback : FeedbackStore or None
        Feedback of the user, or None for a store in memory.
    filters : Filters or None
        Initial filters, or None for no filters.
    shown : ShownSongs or None
        Songs that were shown before, or None for no songs.
    """

    def __init__(
        self,
        settings: PlaylistSettings | None = None,
        feedback: FeedbackStore | None = None,
        filters: Filters | None = None,
        shown: ShownSongs | None = None,
    ) -> None:
        self.settings = settings or PlaylistSettings()
        self.feedback = feedback or FeedbackStore()
        self.profile = ListeningProfile(self.settings.profile)
        self.current = Playlist()
        """Current playlist, as of the last ``update`` or action."""
        self.shown = ShownSongs() if shown is None else shown
        self._searches = Searches(filters or Filters(), self.settings)
        self._pools: Mapping[str, Sequence[Track]] = {}
        self._index = CandidateIndex(self.feedback, self.shown, self.settings)
        self._stale_genres: set[str] = set()
        self._recent: deque[frozenset[str]] = deque(maxlen=self.settings.size)
        self._slots: dict[str, int] = {}
        self._mix: dict[str, float] = {}
        self._heard_genre = ""
        self._requested_reason: Reason | None = None
        self._reclaims_lent_slots = False
        self.refreshed_at: float | None = None
        """Time of the last allocation of slots, or None before the first one."""
        self.refresh_reason = Reason.WAITING
        """Reason for the last allocation. The playlist may have changed since."""
        self._timer = RefreshTimer(
            self.settings.timer_seconds,
            self.settings.profile.first_music_seconds,
            self.settings.reorder_seconds,
        )
        self._now, self._today, self._is_seen = 0.0, date.min, True
        self._playing = frozenset[str]()

    @property
    def filters(self) -> Filters:
        """Filters of the user."""
        return self._searches.filters

    def add_estimate(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Add one estimate. Return True if it counts as music."""
        return self.profile.add_estimate(at_seconds, probabilities, state)

    def set_filters(self, filters: Filters) -> None:
        """Set the filters for the next ``update``. Another order of the languages replaces no song."""
        if filters.scope != self.filters.scope:
            self._requested_reason = Reason.FILTERS
        self._searches.filters = filters

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
        queries: list[TrackQuery] = []
        for genre in wanted:
            low = max(self.settings.unseen_low, self._slots.get(genre, 0))
            counted = genre in self._index.by_genre and genre not in self._stale_genres
            # Songs of this session that may return do not count, since a search may find others.
            if counted and sum(shown_at < 0 for (_, shown_at), _, _ in self._index.by_genre[genre]) < low:
                queries += self._searches.next_queries(genre, now)
        return queries

    def record_results(self, query: TrackQuery, found: int) -> None:
        """Record the number of songs found for a query of ``next_queries``.

        If fewer than half of the requested songs were found, the pool is exhausted. The caller must not
        record a failed search. Its query is returned again by itself.
        """
        self._searches.record_results(query, found)
        self._stale_genres.add(query.genre)

    def discard_expired(self, genre: str, tracks: Iterable[Track]) -> None:
        """Record that songs may not be kept any longer. Songs that were not shown yet may be found again."""
        if any(self.shown.shown_at(track) < 0 for track in tracks):
            self._searches.restart(genre)

    def update(
        self,
        pools: Mapping[str, Sequence[Track]],
        now: float,
        today: date,
        *,
        is_seen: bool = True,
        playing: frozenset[str] = frozenset(),
    ) -> Playlist:
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
        is_seen : bool
            True if the user sees the playlist. If not, the timer stands and songs do not count as shown.
        playing : frozenset of str
            Identity keys of the song that plays. It rests like a song that was shown, and leaves the playlist
            unless the user keeps it.

        Returns
        -------
        Playlist
            The same object as before if nothing changed.
        """
        self._pools, self._now, self._today = pools, now, today
        self._stale_genres.clear()
        self._timer.advance(now, is_seen=is_seen)
        if is_seen and not self._is_seen:
            self.shown.add((item.track for item in self.current.items), now)
        self._is_seen = is_seen
        if playing != self._playing:
            self._playing = playing
            self.shown.add_keys(playing, now)
        self.feedback.reload()
        self._find_candidates()
        if (reason := self._find_refresh_reason()) is not None:
            return self._reallocate(reason)
        if self._slots and self.profile.heard_genre != self._heard_genre:
            self._mix = self.profile.target
            self._allocate_slots(sum(self._slots.values()))
            return self._fill_gaps(self._remaining_items(), Reason.HEARD)
        return self._fill_gaps(self._remaining_items())

    def like(self, key: str) -> Playlist:
        """Keep a song in the playlist and count a like for its first artist."""

        def record(item: PlaylistItem) -> PlaylistItem:
            for artist in item.track.artists[:1]:
                self.feedback.like(artist, item.track.title)
            return replace(item, liked=True)

        return self._change_item(key, record)

    def pin(self, key: str, on: bool = True) -> Playlist:
        """Pin a song. With ``on`` False, remove the pin and the like, so that it may be replaced."""
        return self._change_item(key, lambda item: replace(item, pinned=on, liked=item.liked and on))

    def mark_opened(self, key: str) -> Playlist:
        """Record that the user opened a song. Once most songs are opened, the playlist is refreshed."""
        return self._change_item(key, lambda item: replace(item, opened=True))

    def skip(self, key: str) -> Playlist:
        """Replace a song at once and count a skip for its first artist."""
        return self._change_item(key, lambda item: self._dismiss(item, self.feedback.skip))

    def ban(self, key: str) -> Playlist:
        """Ban the first artist of a song and remove the artist's songs at once, even pinned ones."""
        return self._change_item(key, lambda item: self._dismiss(item, self.feedback.ban))

    def _dismiss(self, item: PlaylistItem, record: Callable[[str], None]) -> None:
        for artist in item.track.artists[:1]:
            record(artist)

    def _change_item(self, key: str, change: Callable[[PlaylistItem], PlaylistItem | None]) -> Playlist:
        """Replace a song by its changed item, or remove the song if ``change`` returns None."""
        old = next((item for item in self.current.items if item.key == key), None)
        if old is None:
            return self.current
        new = change(old)
        self._find_candidates()
        items = [new if item is old else item for item in self._remaining_items()]
        return self._fill_gaps(items, Reason.CHOICE)

    def _remaining_items(self) -> list[PlaylistItem | None]:
        """Return the items, with None for those that leave."""
        return [item if self._may_stay(item) else None for item in self.current.items]

    def _may_stay(self, item: PlaylistItem) -> bool:
        """Return whether no artist was banned, and the user keeps the song or it still may be offered."""
        if self.feedback.is_banned(artist_keys(item.track.artists)):
            return False
        is_playing = not self._playing.isdisjoint(identity_keys(item.track))
        return item.is_kept or (not is_playing and self.filters.allow(item.track, self._today))

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
        if opened and unopened < self.settings.unseen_low and any(self._index.by_genre.values()):
            return Reason.UNSEEN
        return Reason.TIMER if self._timer.is_due(self.profile.music_seconds) else None

    def _reallocate(self, reason: Reason) -> Playlist:
        """Allocate the slots again, and replace songs as far as the reason allows."""
        self._requested_reason, self.refreshed_at, self.refresh_reason = None, self._now, reason
        self._timer.mark_refreshed(self.profile.music_seconds)
        self.profile.mark_refreshed(self._now)
        self._mix = self.profile.target
        items = self._remaining_items()
        outside = sum(item is not None and item.is_kept and item.genre not in self._mix for item in items)
        self._allocate_slots(max(1, self.settings.size - outside))
        # A timer refresh limits the number of swaps until the next refresh.
        self._reclaims_lent_slots = reason is not Reason.TIMER
        if reason is Reason.FILTERS:
            self._find_candidates()
            self._recent.clear()  # as other songs are wanted, those that do not pass may soon be wanted again
        allocator = SlotAllocator(self.settings.size, self._slots, tuple(items))
        replaceable = find_replaceable(allocator, reason, self._max_swaps(reason))
        if self.filters.included:
            replaceable = keep_passing(replaceable, self._index.by_genre)
        return self._fill(allocator, replaceable, reason, lend=allocator.size)

    def _allocate_slots(self, count: int) -> None:
        """Allocate slots to the mix, and the first ones to the genre that plays now."""
        self._heard_genre, self._reclaims_lent_slots = self.profile.heard_genre, True
        slots = allocate_slots(self._mix, count)
        self._slots = reserve_slots(slots, self._heard_genre, self.settings.heard_rows)

    def _max_swaps(self, reason: Reason) -> int:
        """Return the number of songs that a refresh may replace. The timer spreads the last songs."""
        is_last = reason is Reason.TIMER and all(map(self._searches.is_exhausted, self._slots))
        left = sum(map(len, self._index.by_genre.values())) if is_last else None
        return self.settings.max_swaps(len(self.current.items), left)

    def _fill_gaps(self, items: Sequence[PlaylistItem | None], reason: Reason | None = None) -> Playlist:
        """Fill empty slots, and slots that were lent to another genre until songs of their genre arrive."""
        allocator = SlotAllocator(self.settings.size, self._slots, tuple(items))
        replaceable = allocator.surplus() if self._reclaims_lent_slots else []
        if reason is None and None in items:
            reason = Reason.CHOICE
        elif reason is None and not self.current.items and self.current.reason in BEFORE_SONGS:
            reason = Reason.FIRST if self._slots else Reason.WAITING
        elif reason is None:
            reason = Reason.ARRIVED if items else self.current.reason
        return self._fill(allocator, replaceable, reason, lend=allocator.empty_slots)

    def _fill(
        self, allocator: SlotAllocator, replaceable: Sequence[PlaylistItem], reason: Reason, lend: int
    ) -> Playlist:
        """Fill the free and replaceable slots with songs and publish the result."""
        shown_now = (artist_keys(item.track.artists) for item in self.current.items)
        waiting = {genre for genre in self._slots if self._searches.is_pending(genre, self._now)}
        relevance = self.settings.ranking.relevance
        blocked = frozenset().union(*self._recent, *shown_now)
        picked = fill_slots(allocator, replaceable, self._index.by_genre, blocked, waiting, relevance, lend)
        new_items = [self._build_item(track, genre) for track, genre in picked]
        for item in new_items:
            self._recent.append(artist_keys(item.track.artists))
        items = place_items(allocator, replaceable, new_items)
        items = put_first(items, self._heard_genre, self.settings.heard_rows)
        if reason is Reason.TIMER and not new_items and self._timer.may_reorder:
            items = rotate(items)
        if new_items:
            self._find_candidates(items)
        return self._publish(items, reason, waiting)

    def _build_item(self, track: Track, genre: str) -> PlaylistItem:
        preference = self.feedback.preference(artist_keys(track.artists))
        reasons = explain_item(
            track, genre, self.filters, self.profile.seconds_since_leading(genre), preference, self._today
        )
        return PlaylistItem(
            track, genre, reasons, self.filters.unmet(track, self._today), added_in=self.current.number + 1
        )

    def _find_candidates(self, new_items: Sequence[PlaylistItem] = ()) -> None:
        """Find the songs of each genre that may be shown beside the current and the new ones."""
        target = self.profile.target
        items = (*self.current.items, *new_items)
        hidden = self._playing | {key for item in items for key in identity_keys(item.track)}
        genres = {**target, **self._slots}
        self._index.update(self._pools, genres, target, self.filters, hidden, self._now, self._today)

    def _publish(self, items: tuple[PlaylistItem, ...], reason: Reason, waiting: Collection[str]) -> Playlist:
        """Return a playlist with these items, or the current one if it is equal."""
        # Kept songs are compared with filters that the user set later.
        items = tuple(replace(item, relaxed=self.filters.unmet(item.track, self._today)) for item in items)
        before, notes = self.current, self._build_notes(items, waiting)
        pools = [self._pools.get(genre, ()) for genre in self._slots]
        is_full = len(items) >= self.settings.size
        beyond = {} if is_full else count_beyond(pools, self.filters, self._today, self.feedback)
        order, order_before = [item.key for item in items], [item.key for item in before.items]
        if order != order_before:
            self._timer.mark_changed()
            if self._is_seen:
                tracks = [item.track for item in (*before.items, *items)]
                self.shown.add(
                    [track for track in tracks if self.filters.allow(track, self._today)], self._now
                )
                self.shown.withdraw([track for track in tracks if not self.filters.allow(track, self._today)])
        shown_state = (before.items, before.notes, before.mix, before.beyond)
        if (items, notes, self._mix, beyond) != shown_state:
            shown_reason = reason if items != before.items or not items else before.reason
            self.current = Playlist(items, shown_reason, before.number + 1, notes, self._mix, beyond)
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
        outcomes: dict[SearchOutcome, list[str]] = {kind: [] for kind in SearchOutcome}
        listed = {key for item in items for key in identity_keys(item.track)}
        for genre in heaviest_first(self._slots):
            if self._index.by_genre.get(genre):
                continue
            if self._searches.is_exhausted(genre):
                pool = self._pools.get(genre, ())
                outcomes[find_outcome(pool, listed, self.filters, self._today, self.feedback)].append(genre)
            elif genre in waiting and missing[genre] > 0:
                outcomes[SearchOutcome.LOOKING].append(genre)
        return (*notes, *build_notes(outcomes, self.filters))
