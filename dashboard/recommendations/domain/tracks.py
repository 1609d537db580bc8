"""What is asked of whoever knows songs, and what they answer: values, and one small interface.

A provider never raises for a remote fault and never outlives its deadline: whatever happened is in
``ProviderResult.status`` and ``detail``, and no secret is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from urllib.parse import quote, urlencode

from dashboard.i18n.languages import LANGUAGES


class ReleaseRange(StrEnum):
    """How long ago a song may have been published."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ANY = "any"

    @property
    def days(self) -> int | None:
        """Its length; None for any age."""
        return {ReleaseRange.WEEK: 7, ReleaseRange.MONTH: 30, ReleaseRange.YEAR: 365}.get(self)

    @property
    def wider(self) -> ReleaseRange | None:
        """The next one; None when there is none."""
        order = list(ReleaseRange)
        place = order.index(self) + 1
        return order[place] if place < len(order) else None

    def since(self, today: date) -> date | None:
        """The first day that counts; None for any age."""
        return None if self.days is None else today - timedelta(days=self.days)


class Relaxed(StrEnum):
    """A filter that was widened because too little passed it."""

    RANGE = "range"
    LANGUAGE = "language"
    GENRE = "genre"


@dataclass(frozen=True, slots=True)
class TrackQuery:
    """Songs that are wanted: of one of the model's genres, in a language (None: any), not older than.

    ``limit`` songs at most; ``offset`` of them were had before.
    """

    genre: str
    language: str | None = None
    range: ReleaseRange = ReleaseRange.ANY
    limit: int = 50
    offset: int = 0

    def __post_init__(self) -> None:
        """Refuse a language that is none of ours, and numbers that mean nothing.

        Raises
        ------
        ValueError
            As above.
        """
        if self.language is not None and self.language not in LANGUAGES:
            raise ValueError(f"language is {self.language!r}; there are {', '.join(LANGUAGES)}")
        if self.limit < 1 or self.offset < 0:
            raise ValueError(f"limit is {self.limit}, offset {self.offset}; at least 1 and 0 are needed")


@dataclass(frozen=True, slots=True)
class Track:
    """A song that may be offered.

    ``published`` is None where nothing is known; ``precision`` says what of it is: ``day``, ``month``,
    ``year`` or ``none``. ``language_source`` is how the language is known: ``provider``, ``artist``,
    ``script``, ``hint`` (it was only asked for) or ``none``. ``romanised`` is title and artist in Latin
    letters where they are written otherwise.
    """

    provider: str
    title: str
    artists: tuple[str, ...]
    url: str
    genre: str
    language: str | None = None
    language_source: str = "none"
    published: date | None = None
    precision: str = "none"
    album: str = ""
    duration_seconds: float | None = None
    artwork_url: str = ""
    isrc: str = ""
    provider_id: str = ""
    romanised: str = ""
    rank: int = 0
    """Place in the provider's own order, from 0."""

    tempo_bpm: float | None = None
    """A place for what later joins the ranking; no provider fills it yet."""

    @property
    def spotify_search(self) -> str:
        """A search on Spotify."""
        return f"https://open.spotify.com/search/{quote(self._words, safe='')}"

    @property
    def youtube_search(self) -> str:
        """A search on YouTube."""
        return "https://www.youtube.com/results?" + urlencode({"search_query": self._words})

    @property
    def _words(self) -> str:
        return " ".join((*self.artists[:1], self.title))


def relax(query: TrackQuery) -> tuple[TrackQuery, Relaxed] | None:
    """The query with one filter widened, language first, then age; None when there is nothing to widen."""
    if query.language is not None:
        return replace(query, language=None, offset=0), Relaxed.LANGUAGE
    further = query.range.wider
    return (replace(query, range=further, offset=0), Relaxed.RANGE) if further else None
