"""Candidates for the slots of a playlist: songs that pass the filters and have rested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Final

from dashboard.recommendations.domain.genre_mix import GenreMix
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import Relaxed, Track
from dashboard.recommendations.engine.feedback import FeedbackStore
from dashboard.recommendations.engine.playlist import Filters, SearchOutcome
from dashboard.recommendations.engine.ranking import score
from dashboard.recommendations.engine.settings import MAX_ITEMS, PlaylistSettings
from dashboard.recommendations.engine.shown_songs import ShownSongs
from dashboard.recommendations.engine.slots import Candidate

AVAILABILITY_SECONDS: Final = 30.0
"""Interval in seconds at which songs whose rest has ended become candidates."""


class CandidateIndex:
    """Songs that may be shown now, by genre. They are found again only after a change.

    Parameters
    ----------
    feedback : FeedbackStore
    shown : ShownSongs
    settings : PlaylistSettings
    """

    def __init__(self, feedback: FeedbackStore, shown: ShownSongs, settings: PlaylistSettings) -> None:
        self._feedback = feedback
        self._shown = shown
        self._settings = settings
        self._state: tuple[object, ...] = ()
        self.by_genre: dict[str, list[Candidate]] = {}

    def update(
        self,
        pools: Mapping[str, Sequence[Track]],
        genres: Collection[str],
        target: GenreMix,
        filters: Filters,
        hidden: Collection[str],
        now: float,
        today: date,
    ) -> None:
        """Find the candidates if the pools, the filters or the shown songs have changed.

        Parameters
        ----------
        pools : mapping of str to sequence of Track
        genres : collection of str
            Genres that need candidates.
        target : mapping of str to float
            Target mix.
        filters : Filters
        hidden : collection of str
            Identity keys of songs that must not be shown, such as those in the playlist.
        now : float
        today : date
        """
        # A pool may lose its first songs while others are appended.
        sizes = [
            (genre, len(pool), pool[-1:]) for genre in sorted(genres) for pool in (pools.get(genre, ()),)
        ]
        revisions = (self._shown.revision, self._feedback.revision, now // AVAILABILITY_SECONDS)
        state = (sizes, revisions, filters, frozenset(hidden), today)
        if state == self._state:
            return
        self._state = state
        rested_at = now - self._settings.rest_seconds
        self.by_genre = {
            genre: self._find(pools.get(genre, ()), genre, target, filters, hidden, rested_at, today)
            for genre in genres
        }

    def _find(
        self,
        pool: Sequence[Track],
        genre: str,
        target: GenreMix,
        filters: Filters,
        hidden: Collection[str],
        rested_at: float,
        today: date,
    ) -> list[Candidate]:
        query, songs = filters.queries(genre)[0], []
        for track in pool:
            artists, shown_at = artist_keys(track.artists), self._shown.shown_at(track)
            if shown_at > rested_at or self._feedback.is_banned(artists):
                continue
            unmet = filters.unmet(track, today)
            if unmet <= filters.included and identity_keys(track).isdisjoint(hidden):
                preference = self._feedback.preference(artists)
                points = score(track, query, target, today, preference, self._settings.ranking)
                songs.append(((bool(unmet), shown_at), points, track))
        return songs


def count_beyond(
    pools: Iterable[Iterable[Track]], filters: Filters, today: date, feedback: FeedbackStore | None = None
) -> dict[Relaxed, int]:
    """Count the songs that miss exactly one filter beyond those that the user includes."""
    counts = Counter[Relaxed]()
    for track in chain.from_iterable(pools):
        missing = filters.unmet(track, today) - filters.included
        if len(missing) == 1 and not (feedback and feedback.is_banned(artist_keys(track.artists))):
            counts.update(missing)
    return dict(counts)


def find_outcome(
    pool: Iterable[Track], listed: Collection[str], filters: Filters, today: date, feedback: FeedbackStore
) -> SearchOutcome:
    """Return the outcome for a genre without candidates.

    Parameters
    ----------
    pool : iterable of Track
    listed : collection of str
        Identity keys of the songs in the playlist.
    filters : Filters
    today : date
    feedback : FeedbackStore
        Songs of banned artists will not return.
    """
    known = [track for track in pool if filters.allow(track, today)]
    if not known:
        return SearchOutcome.NONE
    known = [track for track in known if not feedback.is_banned(artist_keys(track.artists))]
    is_listed = all(not identity_keys(track).isdisjoint(listed) for track in known)
    return SearchOutcome.FEW if is_listed else SearchOutcome.SHOWN


def spread_artists(tracks: Iterable[Track], count: int) -> list[Track]:
    """Return up to ``count`` songs in order, without an artist twice in ``MAX_ITEMS`` of them."""
    left, spread = list(tracks), list[Track]()
    while left and len(spread) < count:
        recent = frozenset().union(*(artist_keys(track.artists) for track in spread[-MAX_ITEMS + 1 :]))
        known = frozenset().union(*map(identity_keys, spread))
        free = (
            track
            for track in left
            if recent.isdisjoint(artist_keys(track.artists)) and known.isdisjoint(identity_keys(track))
        )
        if (track := next(free, None)) is None:
            break
        left.remove(track)
        spread.append(track)
    return spread
