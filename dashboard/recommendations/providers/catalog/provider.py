"""The bundled catalog as a provider: songs without network, account or waiting.

The catalog knows release years and nothing more precise, and it does not grow. A query for songs of the
last week or month therefore returns songs of any age, with a message.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import (
    Relaxed,
    ReleaseRange,
    Track,
    TrackQuery,
    spotify_search_url,
)
from dashboard.recommendations.providers.base import Clock, ProviderResult, Status
from dashboard.recommendations.providers.catalog.songs import Song, load

NAME: Final = "Overheard's own list"


class CatalogProvider:
    """Songs of the bundled catalog that pass the filters, in an order that depends on the seed.

    Parameters
    ----------
    clock : Clock
        Source of the current year.
    songs : tuple of Song, optional
        Songs to select from, by default the bundled catalog.
    seed : int
        Determines the order. The same seed returns the same songs in the same order, so that an offset
        continues the last result. Each session has a seed of its own.

    Raises
    ------
    CatalogError
        If the bundled catalog is damaged. ``search`` does not raise.
    """

    def __init__(self, clock: Clock, songs: tuple[Song, ...] | None = None, seed: int = 0) -> None:
        shuffled = list(load() if songs is None else songs)
        Random(seed).shuffle(shuffled)
        self._clock = clock
        self._songs = tuple(shuffled)

    @property
    def name(self) -> str:
        """Name of the provider as the page shows it."""
        return NAME

    def search(self, query: TrackQuery, deadline: float) -> ProviderResult:
        """Return songs at once, for any ``deadline``, without a request.

        Parameters
        ----------
        query : TrackQuery
            A language also excludes instrumental songs. ``ReleaseRange.YEAR`` means released in this
            calendar year or the last one.
        deadline : float
            Unused.

        Returns
        -------
        ProviderResult
            ``relaxed`` holds ``Relaxed.RANGE`` if the songs are of any age although newer songs were
            requested. ``detail`` then has the reason. The status is EMPTY if no song matches beyond
            ``offset``.
        """
        known = [
            song
            for song in self._songs
            if song.genre == query.genre and query.language in (None, song.language)
        ]
        if not known:
            return ProviderResult(status=Status.EMPTY, detail=f"has no {_describe(query)}")
        found, reason = self._filter_by_age(known, query)
        page = found[query.offset : query.offset + query.limit]
        return ProviderResult(
            tracks=tuple(_track(song, rank) for rank, song in enumerate(page, start=query.offset)),
            status=Status.OK if page else Status.EMPTY,
            relaxed=frozenset({Relaxed.RANGE}) if reason else frozenset(),
            detail=reason if page else f"has no further {_describe(query)}",
        )

    def _filter_by_age(self, known: list[Song], query: TrackQuery) -> tuple[list[Song], str]:
        """Return the songs that are new enough and an empty text, or all songs and the reason."""
        if query.range is ReleaseRange.ANY:
            return known, ""
        if query.range is not ReleaseRange.YEAR:
            return known, f"has no songs of the last {query.range.value}; these songs are of any age"
        year = self._clock.now().year
        recent = [song for song in known if year - 1 <= song.year <= year]
        if recent:
            return recent, ""
        return known, f"has no {_describe(query)} of {year - 1} or {year}; these songs are of any age"


def _describe(query: TrackQuery) -> str:
    """Describe the requested songs in words, like 'jazz songs in Korean'."""
    songs = f"{query.genre} songs"
    return songs if query.language is None else f"{songs} in {LANGUAGES[query.language].name}"


def _track(song: Song, rank: int) -> Track:
    return Track(
        provider=NAME,
        title=song.title,
        artists=(song.artist,),
        url=spotify_search_url(f"{song.artist} {song.title}"),
        genre=song.genre,
        language=song.language or None,
        language_source="provider" if song.language else "none",
        published=date(song.year, 1, 1),
        precision="year",
        romanized=song.romanized,
        rank=rank,
    )
