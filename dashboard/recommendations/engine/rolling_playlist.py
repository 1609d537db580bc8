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

from dashboard.recommendations.domain.genre_mix import heaviest_first, largest_remainder
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
    explain_item,
    notices,
)
from dashboard.recommendations.engine.ranking import misses, score
from dashboard.recommendations.engine.refill import RefillPlanner, relaxation_chain
from dashboard.recommendations.engine.settings import PlaylistSettings
from dashboard.recommendations.engine.slots import Candidate, SlotAllocator, fill_slots, ordered, to_swap


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
        choices: FeedbackStore | None = None,
        filters: Filters | None = None,
    ) -> None:
        self.settings = settings or PlaylistSettings()
        self.choices = choices or FeedbackStore()
        self.filters = filters or Filters()
        self.evidence = ListeningProfile(self.settings.evidence)
        self.playlist = Playlist()
        """Current playlist, as of the last ``update`` or action."""
        self._supply = RefillPlanner(self.settings.retry_seconds, self.settings.patience_seconds)
        self._pools: Mapping[str, Sequence[Track]] = {}
        self._stock: dict[str, list[Candidate]] = {}
        self._surveyed: tuple[object, ...] = ()
        self._stale: set[str] = set()
        self._shown: set[str] = set()
        self._recent: deque[frozenset[str]] = deque(maxlen=self.settings.rows)
        self._slots: dict[str, int] = {}
        self._mix: dict[str, float] = {}
        self._wish: Reason | None = None
        self._settling = False
        self.refreshed_at: float | None = None
        """Time of the last allocation of slots, or None before the first one."""
        self.refresh_reason = Reason.WAITING
        """Reason for the last allocation. The playlist may have changed since."""
        self._music_then = 0.0
        self._now, self._today = 0.0, date.min

    def hear(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Add one estimate. Return True if it counts as music."""
        return self.evidence.hear(at_seconds, probabilities, state)

    def set_filters(self, filters: Filters) -> None:
        """Set the filters for the next ``update``."""
        if filters != self.filters:
            self.filters, self._wish = filters, Reason.FILTERS

    def refresh(self) -> None:
        """Replace the songs at the next ``update``, as the user requested."""
        self._wish = self._wish or Reason.MANUAL

    def needs(self, now: float) -> list[TrackQuery]:
        """Return the queries to send now, as of the last ``update``, the genre with the most weight first.

        Each query is returned once. Without ``record_results`` it is returned again, after 60 s at first
        and then after ever longer times.
        """
        if not self.evidence.ready:
            return []
        target = self.evidence.target
        wanted = [*heaviest_first(target), *(genre for genre in self._slots if genre not in target)]
        queries = []
        for genre in wanted:
            low = max(self.settings.unseen_low, self._slots.get(genre, 0))
            counted = genre in self._stock and genre not in self._stale
            width = len(self._supply.open_to(self._query(genre)))
            if counted and sum(tier < width for tier, _, _ in self._stock[genre]) < low:
                queries.append(self._supply.next(self._query(genre), now))
        return [query for query in queries if query is not None]

    def answered(self, query: TrackQuery, found: int) -> None:
        """Record the number of songs found for a query of ``next_queries``.

        If fewer than half of the requested songs were found, the pool is exhausted and the next query is
        relaxed. The caller must not record a failed search. Its query is returned again by itself.
        """
        self._supply.answered(query, found)
        self._stale.add(query.genre)

    def forgotten(self, genre: str, tracks: Iterable[Track]) -> None:
        """Record that songs may not be kept any longer. Songs that were not shown yet may be found again."""
        if any(self._shown.isdisjoint(identity_keys(track)) for track in tracks):
            self._supply.begin_again(genre)

    def offer(self, pools: Mapping[str, Sequence[Track]], now: float, today: date) -> Playlist:
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
        self._stale.clear()
        self.choices.refresh()
        if self._surroundings() != self._surveyed:
            self._survey()
        reason = self._due()
        return self._settle(self._unbanned()) if reason is None else self._restart(reason)

    def like(self, key: str) -> Playlist:
        """Keep a song in the playlist and count a like for its first artist."""
        for row in self._find(key):
            if row.track.artists:
                self.choices.like(row.track.artists[0], row.track.title)
            return self._change(key, replace(row, liked=True))
        return self.playlist

    def pin(self, key: str, on: bool = True) -> Playlist:
        """Pin a song. With ``on`` False, remove the pin and the like, so that it may be replaced."""
        for row in self._find(key):
            return self._change(key, replace(row, pinned=on, liked=row.liked and on))
        return self.playlist

    def opened(self, key: str) -> Playlist:
        """Record that the user opened a song. Once most songs are opened, the playlist is refreshed."""
        for row in self._find(key):
            return self._change(key, replace(row, opened=True))
        return self.playlist

    def skip(self, key: str) -> Playlist:
        """Replace a song at once and count a skip for its first artist."""
        for row in self._find(key):
            if row.track.artists:
                self.choices.skip(row.track.artists[0])
            return self._change(key, None)
        return self.playlist

    def ban(self, key: str) -> Playlist:
        """Ban the first artist of a song and remove the artist's songs at once, even pinned ones."""
        for row in self._find(key):
            if row.track.artists:
                self.choices.ban(row.track.artists[0])
            return self._change(key, None)
        return self.playlist

    def _find(self, key: str) -> list[PlaylistItem]:
        return [row for row in self.playlist.rows if row.key == key]

    def _query(self, genre: str) -> TrackQuery:
        return self.filters.query(genre, self.settings.pool_depth)

    def _change(self, key: str, after: PlaylistItem | None) -> Playlist:
        """Replace a song by its changed item, or remove it if ``after`` is None."""
        self._survey()
        rows = [after if row is not None and row.key == key else row for row in self._unbanned()]
        return self._settle(rows, Reason.CHOICE)

    def _unbanned(self) -> list[PlaylistItem | None]:
        """Return the items, with None for songs whose artist was banned since, here or on another page."""
        banned = self.choices.is_banned
        return [None if banned(artist_keys(row.track.artists)) else row for row in self.playlist.rows]

    def _due(self) -> Reason | None:
        """Return the reason for a refresh, or None if none is due."""
        if not self.evidence.ready:
            return None
        if not self._slots:
            return Reason.FIRST
        if self._wish is not None:
            return self._wish
        if self.evidence.changed(self._now):
            return Reason.SHIFT
        unseen = sum(not row.opened for row in self.playlist.rows)
        opened = any(row.opened and not row.stays for row in self.playlist.rows)
        if opened and unseen < self.settings.unseen_low and any(self._stock.values()):
            return Reason.UNSEEN
        heard = self.evidence.music_seconds - self._music_then
        waited = self._now - (self.refreshed_at or 0.0)
        enough = min(self.settings.evidence.first_music_seconds, self.settings.timer_seconds)
        return Reason.TIMER if waited >= self.settings.timer_seconds and heard >= enough else None

    def _restart(self, reason: Reason) -> Playlist:
        """Allocate the slots again, and replace songs as far as the reason allows."""
        self._wish, self.refreshed_at, self.refresh_reason = None, self._now, reason
        self._music_then = self.evidence.music_seconds
        self.evidence.refreshed(self._now)
        self._mix = self.evidence.target
        rows = self._unbanned()
        outside = sum(row is not None and row.stays and row.genre not in self._mix for row in rows)
        self._slots = largest_remainder(self._mix, max(1, self.settings.rows - outside))
        self._settling = reason is not Reason.TIMER  # a timer refresh limits swaps until the next refresh
        if reason is Reason.FILTERS:
            self._survey()
            rows = [
                row if row is None or row.stays or not self._misses(row.track, row.genre) else None
                for row in rows
            ]
        listing = SlotAllocator(self.settings.rows, self._slots, tuple(rows))
        soft = to_swap(listing, reason, self.settings.swap_share)
        return self._fill(listing, soft, reason, lend=listing.size)

    def _settle(self, rows: Sequence[PlaylistItem | None], reason: Reason | None = None) -> Playlist:
        """Fill empty slots, and slots that were lent to another genre until songs of their genre arrive."""
        listing = SlotAllocator(self.settings.rows, self._slots, tuple(rows))
        soft = listing.surplus() if self._settling else []
        if reason is None and None in rows:
            reason = Reason.CHOICE
        elif reason is None and not self._shown:
            reason = Reason.FIRST if self._slots else Reason.WAITING
        elif reason is None:
            reason = Reason.ARRIVED if rows else self.playlist.reason
        return self._fill(listing, soft, reason, lend=listing.empty)

    def _fill(
        self, listing: SlotAllocator, soft: Sequence[PlaylistItem], reason: Reason, lend: int
    ) -> Playlist:
        """Fill the free and replaceable slots with songs and publish the result."""
        shown_now = (artist_keys(row.track.artists) for row in self.playlist.rows)
        waiting = {genre for genre in self._slots if self._supply.waiting(self._query(genre), self._now)}
        relevance = self.settings.ranking.relevance
        blocked = frozenset().union(*self._recent, *shown_now)
        picked = fill_slots(listing, soft, self._stock, blocked, waiting, relevance, lend)
        fresh = [self._row(track, genre) for track, genre in picked]
        for row in fresh:
            self._shown |= identity_keys(row.track)
            self._recent.append(artist_keys(row.track.artists))
        if fresh:
            self._survey()
        return self._publish(ordered(listing, soft, fresh), reason, waiting)

    def _misses(self, track: Track, genre: str) -> frozenset[Relaxed]:
        return misses(track, self._query(genre), self._today)

    def _row(self, track: Track, genre: str) -> PlaylistItem:
        belief = self.choices.belief(artist_keys(track.artists))
        why = explain_item(track, genre, self.filters, self.evidence.since_first(genre), belief, self._today)
        return PlaylistItem(track, genre, why, self._misses(track, genre), since=self.playlist.number + 1)

    def _surroundings(self) -> tuple[object, ...]:
        """Return the inputs of the candidates, so that they are computed only after a change."""
        genres = {**self.evidence.target, **self._slots}
        known: list[object] = []
        for genre in sorted(genres):  # a pool may lose its first songs while others are appended
            pool = self._pools.get(genre, ())
            query = self._query(genre)
            width, overdue = len(self._supply.open_to(query)), self._supply.overdue(query, self._now)
            known.append((genre, len(pool), pool[-1:], width, overdue))
        return (known, len(self._shown), self.filters, self._today, self.choices.revision)

    def _survey(self) -> None:
        """Find the candidates of each genre. If a search is overdue, songs beyond the filters count too."""
        self._surveyed, self._stock = self._surroundings(), {}
        for genre in {**self.evidence.target, **self._slots}:
            query = self._query(genre)
            songs = self._passing(genre, self._supply.open_to(query))
            if not songs and self._supply.overdue(query, self._now):
                songs = self._passing(genre, relaxation_chain(query))
            self._stock[genre] = songs

    def _passing(self, genre: str, open_to: Sequence[TrackQuery]) -> list[Candidate]:
        """Return the songs of a genre that were not shown yet, each with the relaxation that it needs."""
        target, ranking, songs = self.evidence.target, self.settings.ranking, []
        for track in self._pools.get(genre, ()):
            artists = artist_keys(track.artists)
            if not self._shown.isdisjoint(identity_keys(track)) or self.choices.is_banned(artists):
                continue
            passed = (tier for tier, one in enumerate(open_to) if not misses(track, one, self._today))
            if (tier := next(passed, None)) is not None:
                belief = self.choices.belief(artists)
                points = score(track, open_to[0], target, self._today, belief, ranking)
                songs.append((tier, points, track))
        return songs

    def _publish(self, rows: tuple[PlaylistItem, ...], reason: Reason, waiting: Collection[str]) -> Playlist:
        """Return a playlist with these items, or the current one if it is equal."""
        # Kept songs are compared with filters that the user set later.
        rows = tuple(replace(row, relaxed=self._misses(row.track, row.genre)) for row in rows)
        before, notes = self.playlist, self._notes(rows, waiting)
        if rows != before.rows or notes != before.notes or self._mix != before.mix:
            said = reason if rows != before.rows or not rows else before.reason
            self.playlist = Playlist(rows, said, before.number + 1, notes, self._mix)
        return self.playlist

    def _notes(self, rows: Sequence[PlaylistItem], waiting: Collection[str]) -> tuple[LocalizedMessage, ...]:
        """Return the messages that the page shows with the playlist."""
        notes = [self.choices.trouble] if self.choices.trouble else []
        if not self._slots:
            seconds = self.settings.evidence.first_music_seconds
            return (*notes, localize("note.waiting", seconds=f"{seconds:.0f}"))
        if len(rows) == self.settings.rows and all(row.stays for row in rows):
            notes.append(localize("note.pinned"))
        short = Counter(self._slots) - Counter(row.genre for row in rows)
        found: dict[SearchOutcome, list[str]] = {kind: [] for kind in SearchOutcome}
        for genre in heaviest_first(self._slots):
            query, stock = self._query(genre), self._stock.get(genre, ())
            if not stock and self._supply.ended(query):
                found[SearchOutcome.ENDED].append(genre)
                continue
            if len(self._supply.open_to(query)) > 1 and not any(tier == 0 for tier, _, _ in stock):
                passing = any(not self._misses(track, genre) for track in self._pools.get(genre, ()))
                found[SearchOutcome.SHOWN if passing else SearchOutcome.NONE].append(genre)
            if genre in waiting and short[genre] > 0 and not stock:
                found[SearchOutcome.LOOKING].append(genre)
        return (*notes, *notices(found, self.filters))
