"""What is shown: songs with the reason for each, as values that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from dashboard.recommendations.names import song_key
from dashboard.recommendations.ranking import misses, span
from dashboard.recommendations.tracks import Range, Relaxed, Track, TrackQuery

LANGUAGE_NAMES: Final = {"en": "English", "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "ru": "Russian"}


class Reason(StrEnum):
    """Why the list is another than the one before."""

    WAITING = "waiting"
    """There is none yet."""
    FIRST = "first"
    SHIFT = "shift"
    """The music changed."""
    FILTERS = "filters"
    UNSEEN = "unseen"
    """Most songs of the list were opened."""
    TIMER = "timer"
    MANUAL = "manual"
    ARRIVED = "arrived"
    """Songs were found for places that were empty or held another genre."""
    CHOICE = "choice"
    """The person skipped, banned, liked or pinned."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the person wants: a language (None: any) and how old at most."""

    language: str | None = None
    range: Range = Range.ANY

    def __post_init__(self) -> None:
        """Refuse what no query can ask.

        Raises
        ------
        ValueError
            The language or the range is unknown.
        """
        object.__setattr__(self, "range", Range(self.range))
        self.query("any")

    def query(self, genre: str, limit: int = 1) -> TrackQuery:
        """The question for songs of a genre that pass."""
        return TrackQuery(genre, self.language, self.range, limit)

    @property
    def words(self) -> str:
        """As they stand behind "songs"; empty when everything passes."""
        language = f" in {LANGUAGE_NAMES[self.language]}" if self.language else ""
        return language + ("" if self.range is Range.ANY else f" of the last {self.range}")


@dataclass(frozen=True, slots=True)
class Row:
    """One song in its place."""

    track: Track
    genre: str
    """The genre of the place; the song was in that genre's pool."""
    why: str
    relaxed: frozenset[Relaxed] = frozenset()
    """Filters that it does not pass, or is not known to pass."""
    pinned: bool = False
    liked: bool = False
    opened: bool = False
    since: int = 0
    """Number of the list in which it came."""

    @property
    def key(self) -> str:
        """What a page sends back to speak of this song."""
        return song_key(self.track)

    @property
    def stays(self) -> bool:
        """Whether no refresh takes it away."""
        return self.pinned or self.liked

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        track = self.track
        return {
            "key": self.key,
            "title": track.title,
            "artists": list(track.artists),
            "romanised": track.romanised,
            "album": track.album,
            "url": track.url,
            "spotify_search": track.spotify_search,
            "youtube_search": track.youtube_search,
            "artwork_url": track.artwork_url,
            "provider": track.provider,
            "published": track.published.isoformat() if track.published else None,
            "precision": track.precision,
            "language": track.language,
            "language_source": track.language_source,
            "duration_seconds": track.duration_seconds,
            "genre": self.genre,
            "why": self.why,
            "relaxed": sorted(self.relaxed),
            "pinned": self.pinned,
            "liked": self.liked,
            "opened": self.opened,
        }


@dataclass(frozen=True, slots=True)
class Playlist:
    """The songs to offer now; ``number`` rises with every change, ``notes`` are sentences for the page."""

    rows: tuple[Row, ...] = ()
    reason: Reason = Reason.WAITING
    number: int = 0
    notes: tuple[str, ...] = ()
    mix: Mapping[str, float] = field(default_factory=dict)
    """What the list aims at, as of its last refresh."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "number": self.number,
            "reason": self.reason.value,
            "notes": list(self.notes),
            "mix": dict(self.mix),
            "rows": [row.as_json() for row in self.rows],
        }


def reason_of(
    track: Track, genre: str, filters: Filters, fast: Mapping[str, float], belief: float, today: date
) -> str:
    """Why this song is offered, in a few words that end without a stop.

    ``fast`` is the mix of the last seconds: what is not in it was heard earlier. ``belief`` is that in
    its artists.
    """
    recent = fast.get(genre, 0.0) >= 0.1
    parts = [f"because {genre} was heard {'in the last minutes' if recent else 'earlier in this session'}"]
    if belief > 0.5:
        parts.append("you liked songs by this artist")
    missed = misses(track, filters.query(genre), today)
    if Relaxed.LANGUAGE in missed:
        known = LANGUAGE_NAMES.get(track.language or "", "another language")
        parts.append(f"in {known}" if track.language else "language not known")
    elif filters.language and track.language_source in ("script", "hint"):
        parts.append("language guessed")
    if Relaxed.RANGE in missed:
        possible, since = span(track), filters.range.since(today)
        older = possible is not None and since is not None and possible[1] < since
        parts.append(f"older than a {filters.range}" if older else "date not known well enough")
    return ", ".join(parts)


def note_on(genre: str, filters: Filters, wider: TrackQuery | None, looking: bool, ended: bool) -> list[str]:
    """A sentence about the songs of a genre, or none.

    Parameters
    ----------
    genre : str
        Which.
    filters : Filters
        What the person wants.
    wider : TrackQuery or None
        What is offered instead, when nothing that was wanted is left.
    looking : bool
        Songs are on their way.
    ended : bool
        Nothing is left, however wide.
    """
    if ended:
        return [f"All {genre} songs that were found have been shown."]
    sentences = []
    if wider is not None:
        instead = [] if wider.language == filters.language else ["other languages"]
        if wider.range is not filters.range:
            instead.append("any age" if wider.range is Range.ANY else f"the last {wider.range}")
        shown = f"All {genre} songs{filters.words} that were found have been shown"
        sentences.append(f"{shown}; now there are songs of {' and '.join(instead)} too.")
    if looking:
        sentences.append(f"Looking for more {genre} songs.")
    return sentences
