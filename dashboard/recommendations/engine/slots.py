"""Slots of a playlist: which songs may be replaced, and which songs fill the free slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from dashboard.recommendations.domain.genre_mix import heaviest_first, interleave
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import Track
from dashboard.recommendations.engine.playlist import PlaylistItem, Reason
from dashboard.recommendations.engine.ranking import select_best

Tier = tuple[bool, float]
"""Whether the song is beyond a filter, and the time at which it was last shown (minus infinity for never).
Songs of lower tiers come first: those that pass the filters, and of these the ones shown longest ago."""
Candidate = tuple[Tier, float, Track]
"""Tier, score and song."""
Candidates = Mapping[str, Sequence[Candidate]]
"""Songs that may still be shown, by genre."""


@dataclass(frozen=True, slots=True)
class SlotAllocator:
    """Allocation of the slots of a playlist.

    Attributes
    ----------
    size : int
        Number of slots.
    slots : mapping of str to int
        Number of slots of each genre.
    items : tuple of (PlaylistItem or None)
        Songs in the order of their slots. None marks a removed song.
    """

    size: int
    slots: Mapping[str, int]
    items: tuple[PlaylistItem | None, ...]

    @property
    def present(self) -> list[PlaylistItem]:
        """Songs that are left."""
        return [item for item in self.items if item is not None]

    @property
    def empty_slots(self) -> int:
        """Number of slots without a song."""
        return max(0, self.size - len(self.present))

    def surplus(self) -> list[PlaylistItem]:
        """Return the replaceable songs of genres that exceed their slots, the first to replace first."""
        free = Counter(self.slots)
        surplus: list[PlaylistItem] = []
        for item in sorted(self.present, key=lambda item: not item.is_kept):
            free[item.genre] -= 1
            if free[item.genre] < 0 and not item.is_kept:
                surplus.append(item)
        return surplus[::-1]


def find_replaceable(allocator: SlotAllocator, reason: Reason, max_swaps: int) -> list[PlaylistItem]:
    """Return the songs that a refresh may replace, the first to replace first. Pinned and liked songs stay.

    A change of the music replaces songs without a slot in the new mix. A manual refresh replaces all songs.
    The timer, and filters that all songs pass, replace at most ``max_swaps`` songs, the oldest first.
    """
    unkept = sorted((item for item in allocator.present if not item.is_kept), key=lambda item: item.added_in)
    if reason is Reason.MANUAL:
        return unkept
    if reason is Reason.UNSEEN:
        return [item for item in unkept if item.opened]
    if reason is Reason.FILTERS:
        return unkept[:max_swaps] if None not in allocator.items else []
    surplus = allocator.surplus()
    if reason is Reason.TIMER:
        return sorted(unkept, key=lambda item: item not in surplus)[:max_swaps]
    return surplus


def keep_passing(replaceable: Sequence[PlaylistItem], candidates: Candidates) -> list[PlaylistItem]:
    """Return the songs without those that pass the filters and that only songs beyond them could replace."""
    passing = Counter({genre: sum(not tier[0] for tier, *_ in found) for genre, found in candidates.items()})
    kept = []
    for item in replaceable:
        if not item.relaxed:
            passing[item.genre] -= 1
        if item.relaxed or passing[item.genre] >= 0:
            kept.append(item)
    return kept


class _Picker:
    """Selection of songs from the candidates without repeating an artist."""

    def __init__(
        self, candidates: Candidates, kept: Sequence[PlaylistItem], blocked: Collection[str], relevance: float
    ) -> None:
        self._candidates = candidates
        self._relevance = relevance
        self._selected = [item.track for item in kept]
        self._blocked = set(blocked).union(*(artist_keys(item.track.artists) for item in kept))
        self._taken: set[str] = set()
        self.picked: list[tuple[Track, str]] = []

    def take(self, genre: str) -> bool:
        """Select the best song of a genre in the lowest tier, or return False without a song."""
        free = [
            each for each in self._candidates.get(genre, ()) if self._taken.isdisjoint(identity_keys(each[2]))
        ]
        for _, group in groupby(sorted(free, key=itemgetter(0)), key=itemgetter(0)):
            scored = [(points, track) for _, points, track in group]
            track = select_best(scored, self._selected, self._blocked, self._relevance)
            if track is not None:
                self._selected.append(track)
                self._blocked |= artist_keys(track.artists)
                self._taken |= identity_keys(track)
                self.picked.append((track, genre))
                return True
        return False


def fill_slots(
    allocator: SlotAllocator,
    replaceable: Sequence[PlaylistItem],
    candidates: Candidates,
    blocked: Collection[str],
    waiting: Collection[str],
    relevance: float,
    lend: int,
) -> list[tuple[Track, str]]:
    """Select songs for the free slots.

    Parameters
    ----------
    allocator : SlotAllocator
        Current songs and slots.
    replaceable : sequence of PlaylistItem
        Songs that may be replaced.
    candidates : mapping of str to sequence of Candidate
        Songs that may be selected, by genre.
    blocked : collection of str
        Keys of artists that must not be selected, in addition to those of the songs that are kept.
    waiting : collection of str
        Genres with a running search, whose slots stay free.
    relevance : float
        Lambda of MMR.
    lend : int
        Maximum number of slots that are lent to another genre of the mix.

    Returns
    -------
    list of (Track, str)
        Songs with the genre of their slot, in the order of the slots.
    """
    kept = [item for item in allocator.present if item not in replaceable]
    free_slots = allocator.size - len(kept)
    occupied = Counter(item.genre for item in kept)
    free = {
        genre: slots - occupied[genre] for genre, slots in allocator.slots.items() if slots > occupied[genre]
    }
    order = interleave(free)[:free_slots]
    picker = _Picker(candidates, kept, blocked, relevance)
    missing = free_slots - len(order)
    for genre in order:
        if not picker.take(genre) and genre not in waiting:
            missing += 1
    for _ in range(min(missing, lend)):
        if not any(picker.take(genre) for genre in heaviest_first(allocator.slots)):
            break
    return picker.picked


def place_items(
    allocator: SlotAllocator, replaceable: Sequence[PlaylistItem], new_items: Sequence[PlaylistItem]
) -> tuple[PlaylistItem, ...]:
    """Return the songs with the new ones in the free slots. All other songs keep their slots.

    New songs take the slots of removed songs first, then the slots behind the last song, then the slots of
    replaceable songs.
    """
    items = [*allocator.items, *[None] * (allocator.size - len(allocator.items))]
    holes = [index for index, item in enumerate(items) if item is None]
    indices = sorted([*holes, *(items.index(item) for item in replaceable)][: len(new_items)])
    for index, item in zip(indices, new_items, strict=True):
        items[index] = item
    return tuple(item for item in items if item is not None)


def put_first(items: Sequence[PlaylistItem], genre: str, rows: int) -> tuple[PlaylistItem, ...]:
    """Return the songs with those of a genre in the first rows, else in their order.

    Pinned and liked songs keep their rows.
    """
    free = [row for row, item in enumerate(items) if not item.is_kept]
    fitting = [row for row in free if items[row].genre == genre][: sum(row < rows for row in free)]
    ordered = list(items)
    for row, source in zip(free, [*fitting, *(row for row in free if row not in fitting)], strict=True):
        ordered[row] = items[source]
    return tuple(ordered)


def rotate(items: Sequence[PlaylistItem]) -> tuple[PlaylistItem, ...]:
    """Return the songs in another order. Each genre keeps its slots, and pinned and liked songs stay."""
    rotated = list(items)
    for genre in {item.genre for item in items}:
        places = [place for place, item in enumerate(items) if item.genre == genre and not item.is_kept]
        step = max(1, len(places) // 3)
        for place, source in zip(places, [*places[step:], *places[:step]], strict=True):
            rotated[place] = items[source]
    return tuple(rotated)
