"""Queries for songs, and the songs that providers return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from dashboard.i18n.languages import LANGUAGES

INSTRUMENTAL: Final = ""
"""Language of songs without lyrics, in queries and songs."""


class ReleaseRange(StrEnum):
    """Age of a song: a maximum, or a decade."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    FROM_2020 = "2020s"
    FROM_2010 = "2010s"
    FROM_2000 = "2000s"
    FROM_1990 = "1990s"
    FROM_1980 = "1980s"
    FROM_1970 = "1970s"
    FROM_1960 = "1960s"
    FROM_1950 = "1950s"
    EARLIER = "earlier"
    ANY = "any"

    @property
    def years(self) -> tuple[int, int] | None:
        """First and last year of a decade, or None for other ranges."""
        if self is ReleaseRange.EARLIER:
            return 1600, 1949
        return (int(self[:4]), int(self[:4]) + 9) if self[0].isdigit() else None

    @property
    def days(self) -> int | None:
        """Length in days, or None for a decade and for any age."""
        return {ReleaseRange.WEEK: 7, ReleaseRange.MONTH: 30, ReleaseRange.YEAR: 365}.get(self)

    def since(self, today: date) -> date | None:
        """Return the first day of the range, or None for any age."""
        if self.years is not None:
            return date(self.years[0], 1, 1)
        return None if self.days is None else today - timedelta(days=self.days)

    @property
    def until(self) -> date | None:
        """Last day of a decade, or None for ranges that end today."""
        return None if self.years is None else date(self.years[1], 12, 31)


LIVE_RANGES: Final = (ReleaseRange.WEEK, ReleaseRange.MONTH, ReleaseRange.YEAR)
"""Ranges that need a live service. A fixed list knows no songs of the last week."""
DECADES: Final = tuple(each for each in ReleaseRange if each.years is not None)

UPLOAD_DATES: Final = frozenset({"YouTube"})
"""Providers whose date is that of the upload, which says nothing about the decade of a song."""


class Relaxed(StrEnum):
    """Filter that a song does not pass. Language and range are left only if the user asks for it."""

    RANGE = "range"
    LANGUAGE = "language"
    GENRE = "genre"


@dataclass(frozen=True, slots=True)
class TrackQuery:
    """Query for songs.

    Attributes
    ----------
    genre : str
        Genre of the model.
    language : str or None
        ISO 639-1 code, None for any language, or ``INSTRUMENTAL`` for songs without lyrics.
    range : ReleaseRange
        Age.
    limit : int
        Maximum number of songs.
    offset : int
        Number of songs to skip. Earlier pages returned them.
    """

    genre: str
    language: str | None = None
    range: ReleaseRange = ReleaseRange.ANY
    limit: int = 50
    offset: int = 0

    def __post_init__(self) -> None:
        """Check the language and the numbers.

        Raises
        ------
        ValueError
            If the language is unknown, ``limit`` is below 1 or ``offset`` is negative.
        """
        if self.language not in (None, INSTRUMENTAL, *LANGUAGES):
            raise ValueError(f"language is {self.language!r}; it must be one of {', '.join(LANGUAGES)}")
        if self.limit < 1 or self.offset < 0:
            raise ValueError(
                f"limit is {self.limit} and offset is {self.offset}; they must be at least 1 and 0"
            )


@dataclass(frozen=True, slots=True)
class Track:
    """Song that a provider returned.

    Attributes
    ----------
    language : str or None
        ISO 639-1 code, ``INSTRUMENTAL``, or None if the language is unknown.
    published : date or None
        Date of publication, or None if it is unknown.
    precision : str
        Known part of the date: ``day``, ``month``, ``year`` or ``none``.
    language_source : str
        Source of the language: ``provider``, ``artist``, ``script``, ``hint`` or ``none``. With ``hint``, the
        language was only part of the query.
    romanized : str
        Title and artist in Latin letters if they are written in another script, else empty.
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
    romanized: str = ""
    rank: int = 0
    """Position in the order of the provider, from 0."""

    @property
    def release_date(self) -> str:
        """Known part of the release date in ISO 8601, such as ``2024`` or ``2024-05``, or an empty text."""
        length = {"year": 4, "month": 7, "day": 10}.get(self.precision, 0)
        return self.published.isoformat()[:length] if self.published else ""

    @property
    def spotify_search(self) -> str:
        """Address of a search for the song on Spotify."""
        return spotify_search_url(self._search_text)

    @property
    def youtube_search(self) -> str:
        """Address of a search for the song on YouTube."""
        return "https://www.youtube.com/results?" + urlencode({"search_query": self._search_text})

    @property
    def _search_text(self) -> str:
        return " ".join((*self.artists[:1], self.title))


def spotify_search_url(text: str) -> str:
    """Return the address of a search on Spotify."""
    return f"https://open.spotify.com/search/{quote(text, safe='')}"
