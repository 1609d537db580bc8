"""What is shown: songs with the reason for each, as values that become JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.identity import identity_key
from dashboard.recommendations.domain.localized import LocalizedMessage, localize
from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, Track, TrackQuery
from dashboard.recommendations.engine.ranking import misses, span

RECENT_SECONDS: Final = 180.0
"""For so much music a genre counts as heard just now."""


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


class SearchOutcome(StrEnum):
    """What there is to say about the songs of a genre."""

    ENDED = "ended"
    """Nothing is left, however wide the filters."""
    NONE = "none"
    """No song that is known passes the filters."""
    SHOWN = "shown"
    """All that pass were shown, and wider ones are offered."""
    LOOKING = "looking"
    """Songs are on their way."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the person wants: a language (None: any) and how old at most."""

    language: str | None = None
    range: ReleaseRange = ReleaseRange.ANY

    def __post_init__(self) -> None:
        """Refuse what no query can ask.

        Raises
        ------
        ValueError
            The language or the range is unknown.
        """
        object.__setattr__(self, "range", ReleaseRange(self.range))
        self.query("any")

    def query(self, genre: str, limit: int = 1) -> TrackQuery:
        """The question for songs of a genre that pass."""
        return TrackQuery(genre, self.language, self.range, limit)


@dataclass(frozen=True, slots=True)
class PlaylistItem:
    """One song in its place."""

    track: Track
    genre: str
    """The genre of the place; the song was in that genre's pool."""
    why: tuple[LocalizedMessage, ...]
    """Why it is here, the first reason first."""
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
        return identity_key(self.track)

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
            "why": [str(each) for each in self.why],
            "relaxed": sorted(self.relaxed),
            "pinned": self.pinned,
            "liked": self.liked,
            "opened": self.opened,
        }


@dataclass(frozen=True, slots=True)
class Playlist:
    """The songs to offer now; ``number`` rises with every change, ``notes`` are for the page."""

    rows: tuple[PlaylistItem, ...] = ()
    reason: Reason = Reason.WAITING
    number: int = 0
    notes: tuple[LocalizedMessage, ...] = ()
    mix: Mapping[str, float] = field(default_factory=dict)
    """What the list aims at, as of its last refresh."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "number": self.number,
            "reason": self.reason.value,
            "notes": [str(note) for note in self.notes],
            "mix": dict(self.mix),
            "rows": [row.as_json() for row in self.rows],
        }


def explain_item(
    track: Track, genre: str, filters: Filters, ago_seconds: float | None, belief: float, today: date
) -> tuple[LocalizedMessage, ...]:
    """Why this song is offered, and what of the filters it does not pass.

    ``ago_seconds`` of music ago the genre was the most likely, None where it has only a share in the mix.
    ``belief`` is that in the song's artists.
    """
    recent = ago_seconds is not None and ago_seconds <= RECENT_SECONDS
    kind = "partly" if ago_seconds is None else "now" if recent else "earlier"
    parts = [localize(f"why.{kind}", genre=genre)]
    if belief > 0.5:
        parts.append(localize("why.liked"))
    missed = misses(track, filters.query(genre), today)
    if Relaxed.LANGUAGE in missed:
        parts.append(_language(track))
    elif filters.language and track.language_source in ("script", "hint"):
        parts.append(localize("why.language.guessed"))
    if Relaxed.RANGE in missed:
        possible, since = span(track), filters.range.since(today)
        older = possible is not None and since is not None and possible[1] < since
        parts.append(localize(f"why.range.{filters.range}" if older else "why.range.unknown"))
    return tuple(parts)


def _language(track: Track) -> LocalizedMessage:
    if not track.language:
        return localize("why.language.unknown")
    known = track.language in LANGUAGES
    return localize("why.language", language=track.language) if known else localize("why.language.other")


def notices(found: Mapping[SearchOutcome, Sequence[str]], filters: Filters) -> list[LocalizedMessage]:
    """What is said about the songs of genres, each sentence once.

    Parameters
    ----------
    found : Mapping
        For what there is to say, the genres of which it is true.
    filters : Filters
        What the person wants.
    """
    notes = []
    for kind in SearchOutcome:
        if genres := "\n".join(found.get(kind, ())):
            wanted: dict[str, str] = {}
            if kind is SearchOutcome.NONE:
                wanted |= {"language": filters.language} if filters.language else {}
                wanted |= {"range": filters.range.value} if filters.range is not ReleaseRange.ANY else {}
            which = f".{'both' if len(wanted) > 1 else next(iter(wanted))}" if wanted else ""
            notes.append(localize(f"note.{kind}{which}", genres=genres, **wanted))
    return notes
