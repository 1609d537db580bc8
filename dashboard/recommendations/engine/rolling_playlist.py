"""The rolling list of songs of one session: what was heard goes in, what to offer next comes out.

No thread, no clock, no network: the caller tells the time (seconds of one clock, and today's date) and
brings the songs. One caller at a time. A page's loop is::

    session.hear(now, probabilities, state)
    for query in session.needs(now):        # fetch in the background, add to pools[query.genre], then
        session.answered(query, found)      # how many songs came
    playlist = session.offer(pools, now, today)   # the same list until there is a reason for another
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
    """A list that follows the music; see the module."""

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
        """The list as it is; ``offer`` brings it up to date."""
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
        """When the places were dealt last."""
        self.refresh_reason = Reason.WAITING
        """Why; the list itself may have changed since, or not at all."""
        self._music_then = 0.0
        self._now, self._today = 0.0, date.min

    def hear(self, at_seconds: float, probabilities: Mapping[str, float], state: str) -> bool:
        """Take one estimate; says whether it counted as music."""
        return self.evidence.hear(at_seconds, probabilities, state)

    def set_filters(self, filters: Filters) -> None:
        """Other filters; the next ``offer`` follows them."""
        if filters != self.filters:
            self.filters, self._wish = filters, Reason.FILTERS

    def refresh(self) -> None:
        """The button: other songs with the next ``offer``."""
        self._wish = self._wish or Reason.MANUAL

    def needs(self, now: float) -> list[TrackQuery]:
        """What to ask the providers now, the genre of most weight first, as of the last ``offer``.

        Each query comes once; without ``answered`` it comes again, after 60 s and then ever later.
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
        """The songs for a query of ``needs`` have come: so many, which the next ``offer`` brings.

        Less than half of what was asked for, and that pool is used up: the next query is wider. Say it
        only when the providers did answer; when they failed, the query comes again by itself.
        """
        self._supply.answered(query, found)
        self._stale.add(query.genre)

    def forgotten(self, genre: str, tracks: Iterable[Track]) -> None:
        """These songs may not be kept any longer; where one was not shown yet, it may be found again."""
        if any(self._shown.isdisjoint(identity_keys(track)) for track in tracks):
            self._supply.begin_again(genre)

    def offer(self, pools: Mapping[str, Sequence[Track]], now: float, today: date) -> Playlist:
        """The list for this moment.

        Parameters
        ----------
        pools : Mapping
            All songs that were found so far, by the genre that was asked for; they may be of any
            language and age. Kept until the next call, so that a skip can act at once.
        now : float
            Seconds, of the clock that ``hear`` is told.
        today : date
            For the age of songs.

        Returns
        -------
        Playlist
            The same object as before when nothing changed.
        """
        self._pools, self._now, self._today = pools, now, today
        self._stale.clear()
        self.choices.refresh()
        if self._surroundings() != self._surveyed:
            self._survey()
        reason = self._due()
        return self._settle(self._unbanned()) if reason is None else self._restart(reason)

    def like(self, key: str) -> Playlist:
        """The song stays, and its artist is believed in."""
        for row in self._find(key):
            if row.track.artists:
                self.choices.like(row.track.artists[0], row.track.title)
            return self._change(key, replace(row, liked=True))
        return self.playlist

    def pin(self, key: str, on: bool = True) -> Playlist:
        """The song stays, or (``on`` false) may go again, liked or not."""
        for row in self._find(key):
            return self._change(key, replace(row, pinned=on, liked=row.liked and on))
        return self.playlist

    def opened(self, key: str) -> Playlist:
        """The person listens to the song; once most are opened, others come."""
        for row in self._find(key):
            return self._change(key, replace(row, opened=True))
        return self.playlist

    def skip(self, key: str) -> Playlist:
        """Another song in its place, at once."""
        for row in self._find(key):
            if row.track.artists:
                self.choices.skip(row.track.artists[0])
            return self._change(key, None)
        return self.playlist

    def ban(self, key: str) -> Playlist:
        """None of this song's first artist any more, at once, pinned or not."""
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
        """One row is replaced by itself with a mark, or leaves."""
        self._survey()
        rows = [after if row is not None and row.key == key else row for row in self._unbanned()]
        return self._settle(rows, Reason.CHOICE)

    def _unbanned(self) -> list[PlaylistItem | None]:
        """The rows; None for one whose artist was banned since, here or on another page."""
        banned = self.choices.is_banned
        return [None if banned(artist_keys(row.track.artists)) else row for row in self.playlist.rows]

    def _due(self) -> Reason | None:
        """Why the list must be made anew now."""
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
        """Deal the places anew, and change the rows as far as the reason allows."""
        self._wish, self.refreshed_at, self.refresh_reason = None, self._now, reason
        self._music_then = self.evidence.music_seconds
        self.evidence.refreshed(self._now)
        self._mix = self.evidence.target
        rows = self._unbanned()
        outside = sum(row is not None and row.stays and row.genre not in self._mix for row in rows)
        self._slots = largest_remainder(self._mix, max(1, self.settings.rows - outside))
        self._settling = reason is not Reason.TIMER  # a timer's limit holds until the next refresh
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
        """Fill places that are empty, and those lent to another genre until songs came."""
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
        """Put songs into the places that are free or soft, and make that the list."""
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
        """What the stock depends on, so that a page may ask for the list as often as it likes."""
        genres = {**self.evidence.target, **self._slots}
        known: list[object] = []
        for genre in sorted(genres):  # a pool may lose its first songs while others come at its end
            pool = self._pools.get(genre, ())
            query = self._query(genre)
            width, overdue = len(self._supply.open_to(query)), self._supply.overdue(query, self._now)
            known.append((genre, len(pool), pool[-1:], width, overdue))
        return (known, len(self._shown), self.filters, self._today, self.choices.revision)

    def _survey(self) -> None:
        """Songs that may still be shown, by genre; wider ones for want of others if an answer is late."""
        self._surveyed, self._stock = self._surroundings(), {}
        for genre in {**self.evidence.target, **self._slots}:
            query = self._query(genre)
            songs = self._passing(genre, self._supply.open_to(query))
            if not songs and self._supply.overdue(query, self._now):
                songs = self._passing(genre, relaxation_chain(query))
            self._stock[genre] = songs

    def _passing(self, genre: str, open_to: Sequence[TrackQuery]) -> list[Candidate]:
        """Songs of a genre that may still be shown, each with how wide the filters are that it passes."""
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
        """The list with these rows; the one that there is when it says the same."""
        # Rows that stay are held against filters that came after them.
        rows = tuple(replace(row, relaxed=self._misses(row.track, row.genre)) for row in rows)
        before, notes = self.playlist, self._notes(rows, waiting)
        if rows != before.rows or notes != before.notes or self._mix != before.mix:
            said = reason if rows != before.rows or not rows else before.reason
            self.playlist = Playlist(rows, said, before.number + 1, notes, self._mix)
        return self.playlist

    def _notes(self, rows: Sequence[PlaylistItem], waiting: Collection[str]) -> tuple[LocalizedMessage, ...]:
        """What the page says beside the list."""
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
