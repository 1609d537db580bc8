"""The places of a list: which rows may go, and which songs come into the places that are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

from dashboard.recommendations.domain.genre_mix import heaviest_first, interleave
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import Track
from dashboard.recommendations.engine.playlist import PlaylistItem, Reason
from dashboard.recommendations.engine.ranking import best

Candidate = tuple[int, float, Track]
"""How often filters were widened for it, its score, the song."""
Stock = Mapping[str, Sequence[Candidate]]
"""Songs that may still be shown, by genre."""
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class SlotAllocator:
    """Rows in ``size`` places, of which each genre has ``slots``; None is a row that was taken away."""

    size: int
    slots: Mapping[str, int]
    rows: tuple[PlaylistItem | None, ...]

    @property
    def there(self) -> list[PlaylistItem]:
        """The rows that are left."""
        return [row for row in self.rows if row is not None]

    @property
    def empty(self) -> int:
        """Places without a song."""
        return max(0, self.size - len(self.there))

    def surplus(self) -> list[PlaylistItem]:
        """Rows that may go because their genre has more than its places, the first to go first."""
        left = Counter(self.slots)
        over: list[PlaylistItem] = []
        for row in sorted(self.there, key=lambda row: not row.stays):
            left[row.genre] -= 1
            if left[row.genre] < 0 and not row.stays:
                over.append(row)
        return over[::-1]


def to_swap(listing: SlotAllocator, reason: Reason, swap_share: float) -> list[PlaylistItem]:
    """The rows that a refresh may replace, the first to go first; never those that stay.

    A shift takes what the new mix has no place for; the button everything; the timer, and filters that
    all rows pass, at most ``swap_share`` of the rows, the oldest first.
    """
    loose = sorted((row for row in listing.there if not row.stays), key=lambda row: row.since)
    most = floor(swap_share * len(listing.there) + ROUNDING)
    if reason is Reason.MANUAL:
        return loose
    if reason is Reason.UNSEEN:
        return [row for row in loose if row.opened]
    if reason is Reason.FILTERS:
        return loose[:most] if None not in listing.rows else []
    over = listing.surplus()
    return sorted(loose, key=lambda row: row not in over)[:most] if reason is Reason.TIMER else over


class _Picker:
    """Takes songs from the stock, no artist twice."""

    def __init__(
        self, stock: Stock, kept: Sequence[PlaylistItem], blocked: Collection[str], relevance: float
    ) -> None:
        self._stock = stock
        self._relevance = relevance
        self._near = [row.track for row in kept]
        self._blocked = set(blocked).union(*(artist_keys(row.track.artists) for row in kept))
        self._taken: set[str] = set()
        self.picked: list[tuple[Track, str]] = []

    def take(self, genre: str) -> bool:
        """The best song of a genre, of those that pass the narrowest filters; whether there is one."""
        free = [one for one in self._stock.get(genre, ()) if self._taken.isdisjoint(identity_keys(one[2]))]
        for tier in sorted({tier for tier, _, _ in free}):
            scored = [(points, track) for own, points, track in free if own == tier]
            track = best(scored, self._near, self._blocked, self._relevance)
            if track is not None:
                self._near.append(track)
                self._blocked |= artist_keys(track.artists)
                self._taken |= identity_keys(track)
                self.picked.append((track, genre))
                return True
        return False


def fill_slots(
    listing: SlotAllocator,
    soft: Sequence[PlaylistItem],
    stock: Stock,
    blocked: Collection[str],
    waiting: Collection[str],
    relevance: float,
    lend: int,
) -> list[tuple[Track, str]]:
    """Songs for the free places, in the order in which they are dealt, each with the genre of its place.

    Parameters
    ----------
    listing : Listing
        What is there.
    soft : sequence of Row
        Rows of it that may be replaced.
    stock : Mapping
        What there is to choose from.
    blocked : collection of str
        Artists that must not come now; those of the rows that are kept are too.
    waiting : collection of str
        Genres whose songs are on their way: their places stay free.
    relevance : float
        MMR's lambda.
    lend : int
        How many places at most may go to another genre than they were meant for, one that has places too.
    """
    kept = [row for row in listing.there if row not in soft]
    seats = listing.size - len(kept)
    have = Counter(row.genre for row in kept)
    free = {genre: slots - have[genre] for genre, slots in listing.slots.items() if slots > have[genre]}
    order = interleave(free)[:seats]
    picker = _Picker(stock, kept, blocked, relevance)
    missing = seats - len(order)
    for genre in order:
        if not picker.take(genre) and genre not in waiting:
            missing += 1
    for _ in range(min(missing, lend)):
        if not any(picker.take(genre) for genre in heaviest_first(listing.slots)):
            break
    return picker.picked


def ordered(
    listing: SlotAllocator, soft: Sequence[PlaylistItem], fresh: Sequence[PlaylistItem]
) -> tuple[PlaylistItem, ...]:
    """The rows with fresh ones in the free places: where one was taken away, behind the last, then
    instead of soft ones. Everything else keeps its place.
    """
    rows = [*listing.rows, *[None] * (listing.size - len(listing.rows))]
    holes = [place for place, row in enumerate(rows) if row is None]
    places = sorted([*holes, *(rows.index(row) for row in soft)][: len(fresh)])
    for place, row in zip(places, fresh, strict=True):
        rows[place] = row
    return tuple(row for row in rows if row is not None)
