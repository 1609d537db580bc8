"""The bundled catalog as a provider: songs without network, account or waiting.

The catalog knows release years and nothing more precise, and it does not grow. It has no songs of the last
week or month.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import (
    INSTRUMENTAL,
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
            A language excludes instrumental songs. ``ReleaseRange.YEAR`` means released in this
            calendar year or the last one.
        deadline : float
            Unused.

        Returns
        -------
        ProviderResult
            The status is EMPTY if no song matches beyond ``offset``. ``detail`` then has the reason.
        """
        found = [song for song in self._songs if self._matches(song, query)]
        page = found[query.offset : query.offset + query.limit]
        further = "further " if found else ""
        return ProviderResult(
            tracks=tuple(_track(song, rank) for rank, song in enumerate(page, start=query.offset)),
            status=Status.OK if page else Status.EMPTY,
            detail="" if page else f"has no {further}{_describe(query)}",
        )

    def _matches(self, song: Song, query: TrackQuery) -> bool:
        if song.genre != query.genre or query.language not in (None, song.language):
            return False
        if query.range.years is not None:
            return query.range.years[0] <= song.year <= query.range.years[1]
        year = self._clock.now().year
        return query.range is ReleaseRange.ANY or (
            query.range is ReleaseRange.YEAR and year - 1 <= song.year <= year
        )


def _describe(query: TrackQuery) -> str:
    """Describe the requested songs in words, like 'jazz songs in Korean'."""
    songs = f"{query.genre} songs"
    if query.language == INSTRUMENTAL:
        songs += " without lyrics"
    elif query.language is not None:
        songs += f" in {LANGUAGES[query.language].name}"
    if query.range is ReleaseRange.ANY:
        return songs
    if query.range.years is None:
        return f"{songs} of the last {query.range.value}"
    return (
        f"{songs} of the {query.range}" if query.range is not ReleaseRange.EARLIER else f"{songs} before 1950"
    )


def _track(song: Song, rank: int) -> Track:
    return Track(
        provider=NAME,
        title=song.title,
        artists=(song.artist,),
        url=spotify_search_url(f"{song.artist} {song.title}"),
        genre=song.genre,
        language=song.language,
        language_source="provider",
        published=date(song.year, 1, 1),
        precision="year",
        romanized=song.romanized,
        rank=rank,
    )
