"""The bundled songs as a provider: what is offered without network, account or waiting.

A list that came with the program knows years and nothing nearer, and it does not grow. Asked for songs
of the last week or month it therefore gives songs of any age and says so.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from dashboard.recommendations.providers.catalogue.songs import Song, load

NAME: Final = "Overheard's own list"


class CatalogueProvider:
    """Songs of the bundled list that pass the filters, in an order that differs between seeds.

    Parameters
    ----------
    clock : Clock
        Says which years are this one and the last.
    songs : tuple of Song, optional
        What to choose from; the bundled catalogue if not given.
    seed : int
        Fixes the order. The same seed deals the same songs in the same order, so that offsets go on
        where the last answer ended; another session takes another one.

    Raises
    ------
    CatalogueError
        The bundled catalogue is damaged. ``search`` raises nothing.
    """

    def __init__(self, clock: Clock, songs: tuple[Song, ...] | None = None, seed: int = 0) -> None:
        shuffled = list(load() if songs is None else songs)
        Random(seed).shuffle(shuffled)
        self._clock = clock
        self._songs = tuple(shuffled)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return NAME

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Answer at once, whatever the ``deadline``; nothing is sent for it.

        Parameters
        ----------
        query : TrackQuery
            A language also leaves out songs in which nothing is sung. ``Range.YEAR`` means published this
            calendar year or the last one.
        deadline : float
            Not needed here.

        Returns
        -------
        ProviderResult
            ``relaxed`` holds ``Relaxed.RANGE`` where the songs are of any age although newer ones were
            asked for; ``detail`` says why. EMPTY where nothing is known, or nothing beyond ``offset``.
        """
        known = [
            song
            for song in self._songs
            if song.genre == query.genre and query.language in (None, song.language)
        ]
        if not known:
            return ProviderResult(status=Status.EMPTY, detail=f"{NAME} has no {_wanted(query)}.")
        found, reason = self._of_age(known, query)
        page = found[query.offset : query.offset + query.limit]
        return ProviderResult(
            tracks=tuple(_track(song, rank) for rank, song in enumerate(page, start=query.offset)),
            status=Status.OK if page else Status.EMPTY,
            relaxed=frozenset({Relaxed.RANGE}) if reason else frozenset(),
            detail=reason if page else f"{NAME} has no further {_wanted(query)}.",
        )

    def _of_age(self, known: list[Song], query: TrackQuery) -> tuple[list[Song], str]:
        """Those that are new enough, or all of them and a sentence why."""
        if query.range is ReleaseRange.ANY:
            return known, ""
        if query.range is not ReleaseRange.YEAR:
            return known, f"{NAME} knows no songs of the last {query.range.value}; these are of any age."
        year = self._clock.now().year
        recent = [song for song in known if year - 1 <= song.year <= year]
        if recent:
            return recent, ""
        return known, f"{NAME} has no {_wanted(query)} of {year - 1} or {year}; these are of any age."


def _wanted(query: TrackQuery) -> str:
    """In words: 'jazz songs in Korean'."""
    songs = f"{query.genre} songs"
    return songs if query.language is None else f"{songs} in {LANGUAGES[query.language].name}"


def _track(song: Song, rank: int) -> Track:
    return Track(
        provider=NAME,
        title=song.title,
        artists=(song.artist,),
        url=song.spotify_url,
        genre=song.genre,
        language=song.language or None,
        language_source="provider" if song.language else "none",
        published=date(song.year, 1, 1),
        precision="year",
        romanised=song.romanised,
        rank=rank,
    )
