"""Queries for songs, and the songs that providers return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from urllib.parse import quote, urlencode

from dashboard.i18n.languages import LANGUAGES


class ReleaseRange(StrEnum):
    """Maximum age of a song."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ANY = "any"

    @property
    def days(self) -> int | None:
        """Length in days, or None for any age."""
        return {ReleaseRange.WEEK: 7, ReleaseRange.MONTH: 30, ReleaseRange.YEAR: 365}.get(self)

    def since(self, today: date) -> date | None:
        """Return the first day of the range, or None for any age."""
        return None if self.days is None else today - timedelta(days=self.days)


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
        ISO 639-1 code, or None for any language.
    range : ReleaseRange
        Maximum age.
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
        if self.language is not None and self.language not in LANGUAGES:
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
