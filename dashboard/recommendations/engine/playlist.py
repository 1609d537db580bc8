"""Values of a playlist: filters, songs with their reasons, and notes for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.identity import identity_key
from dashboard.recommendations.domain.localized import LocalizedMessage, localize
from dashboard.recommendations.domain.tracks import (
    INSTRUMENTAL,
    UPLOAD_DATES,
    Relaxed,
    ReleaseRange,
    Track,
    TrackQuery,
)
from dashboard.recommendations.engine.ranking import release_span, unmet_filters

RECENT_SECONDS: Final = 180.0
"""Seconds of music for which a genre counts as playing now after it last led."""


class Reason(StrEnum):
    """Reason for a change of the playlist."""

    WAITING = "waiting"
    """There is no playlist yet."""
    FIRST = "first"
    """The first playlist was made."""
    SHIFT = "shift"
    """The music changed."""
    HEARD = "heard"
    """Another genre has become sure, and owns the first rows."""
    FILTERS = "filters"
    """The filters changed, by the user or by the languages of the titles that play."""
    UNSEEN = "unseen"
    """The user opened most songs of the playlist."""
    TIMER = "timer"
    """The playlist was old enough to be refreshed."""
    MANUAL = "manual"
    """The user asked for other songs."""
    ARRIVED = "arrived"
    """Songs were found for slots that were empty or held another genre."""
    CHOICE = "choice"
    """The user skipped, banned, liked or pinned a song, or a song of the playlist began to play."""


BEFORE_SONGS: Final = (Reason.WAITING, Reason.FIRST)
"""Reasons of a playlist before its first song."""


class SearchOutcome(StrEnum):
    """Outcome of the search for songs of a genre."""

    NONE = "none"
    """No known song passes the filters."""
    FEW = "few"
    """All songs that pass the filters are in the list."""
    SHOWN = "shown"
    """All songs that pass the filters are in the list or have left it recently."""
    LOOKING = "looking"
    """A search is running."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of the user.

    Attributes
    ----------
    language : str or None
        Language of the songs, or None for any language.
    range : ReleaseRange
        Age of the songs.
    beside : tuple of str
        Further languages that pass. The songs in ``language`` come first.
    included : frozenset of Relaxed
        Filters beyond which the user wants songs too, after those that pass.
    """

    language: str | None = None
    range: ReleaseRange = ReleaseRange.ANY
    beside: tuple[str, ...] = ()
    included: frozenset[Relaxed] = frozenset()

    def __post_init__(self) -> None:
        """Check the languages and the range.

        Raises
        ------
        ValueError
            If a language or the range is unknown.
        """
        object.__setattr__(self, "range", ReleaseRange(self.range))
        self.queries("any")

    def queries(self, genre: str, limit: int = 1) -> tuple[TrackQuery, ...]:
        """Return the queries for songs of a genre that pass the filters, one for each language."""
        languages = (self.language, *(self.beside if self.language is not None else ()))
        return tuple(TrackQuery(genre, language, self.range, limit) for language in languages)

    @property
    def scope(self) -> tuple[frozenset[str | None], ReleaseRange, frozenset[Relaxed]]:
        """Filters without the order of the languages, which decides only which songs come first."""
        languages = frozenset(query.language for query in self.queries("any"))
        return languages, self.range, self.included

    def wider_queries(self, genre: str, limit: int = 1) -> tuple[TrackQuery, ...]:
        """Return the queries for the songs that the user includes, or an empty tuple without such songs."""
        if not self.included:
            return ()
        age = ReleaseRange.ANY if Relaxed.RANGE in self.included else self.range
        if Relaxed.LANGUAGE in self.included:
            return (TrackQuery(genre, None, age, limit),)
        return tuple(replace(query, range=age) for query in self.queries(genre, limit))

    def unmet(self, track: Track, today: date) -> frozenset[Relaxed]:
        """Return the filters that a song does not pass, or is not known to pass."""
        return min((unmet_filters(track, query, today) for query in self.queries(track.genre)), key=len)

    def allow(self, track: Track, today: date) -> bool:
        """Return whether a song passes, or misses only filters beyond which the user wants songs."""
        return self.unmet(track, today) <= self.included


@dataclass(frozen=True, slots=True)
class PlaylistItem:
    """Song in a slot of the playlist."""

    track: Track
    genre: str
    """Genre of the slot. The song comes from the pool of this genre."""
    reasons: tuple[LocalizedMessage, ...]
    """Reasons for the song, the most important first."""
    relaxed: frozenset[Relaxed] = frozenset()
    """Filters that the song does not pass, or is not known to pass."""
    pinned: bool = False
    liked: bool = False
    opened: bool = False
    added_in: int = 0
    """Number of the playlist in which the song was added."""

    @property
    def key(self) -> str:
        """Identifier of the song that the page sends with an action."""
        return identity_key(self.track)

    @property
    def is_kept(self) -> bool:
        """True if no refresh removes the song."""
        return self.pinned or self.liked


@dataclass(frozen=True, slots=True)
class Playlist:
    """Current playlist. ``number`` grows with every change, and ``notes`` are messages for the page."""

    items: tuple[PlaylistItem, ...] = ()
    reason: Reason = Reason.WAITING
    number: int = 0
    notes: tuple[LocalizedMessage, ...] = ()
    mix: Mapping[str, float] = field(default_factory=dict)
    """Target mix when the slots were last allocated."""
    beyond: Mapping[Relaxed, int] = field(default_factory=dict)
    """Number of songs beyond each filter that the user may include, if the list is not full."""


def explain_item(
    track: Track, genre: str, filters: Filters, ago_seconds: float | None, preference: float, today: date
) -> tuple[LocalizedMessage, ...]:
    """Return the reasons for a song, and the filters that it does not pass.

    Parameters
    ----------
    ago_seconds : float or None
        Seconds of music since the genre last led the mix, or None if it has only a share in the mix.
    preference : float
        Probability that the user likes the artists of the song.
    """
    recent = ago_seconds is not None and ago_seconds <= RECENT_SECONDS
    kind = "partly" if ago_seconds is None else "now" if recent else "earlier"
    parts = [localize(f"why.{kind}", genre=genre)]
    if preference > 0.5:
        parts.append(localize("why.liked"))
    missed = filters.unmet(track, today)
    if Relaxed.LANGUAGE in missed:
        parts.append(_explain_language(track))
    elif filters.language and track.language_source in ("script", "hint"):
        parts.append(localize("why.language.guessed"))
    if Relaxed.RANGE in missed:
        possible, since = release_span(track), filters.range.since(today)
        older = possible is not None and since is not None and possible[1] < since
        if filters.range.years is not None:
            unknown = possible is None or track.provider in UPLOAD_DATES
            parts.append(localize("why.range.unknown" if unknown else "why.range.other"))
        else:
            parts.append(localize(f"why.range.{filters.range}" if older else "why.range.unknown"))
    return tuple(parts)


def _explain_language(track: Track) -> LocalizedMessage:
    if track.language == INSTRUMENTAL:
        return localize("why.language.none")
    if track.language is None:
        return localize("why.language.unknown")
    known = track.language in LANGUAGES
    return localize("why.language", language=track.language) if known else localize("why.language.other")


def build_notes(found: Mapping[SearchOutcome, Sequence[str]], filters: Filters) -> list[LocalizedMessage]:
    """Return one message for each outcome of the searches.

    Parameters
    ----------
    found : mapping of SearchOutcome to sequence of str
        Genres with each outcome.
    filters : Filters
        Filters of the user.
    """
    notes = []
    for kind in SearchOutcome:
        if genres := "\n".join(found.get(kind, ())):
            wanted: dict[str, str] = {}
            if kind is SearchOutcome.NONE:
                languages = [query.language for query in filters.queries("any") if query.language]
                wanted |= {"language": "\n".join(languages)} if languages else {}
                wanted |= {"range": filters.range.value} if filters.range is not ReleaseRange.ANY else {}
            which = f".{'both' if len(wanted) > 1 else next(iter(wanted))}" if wanted else ""
            notes.append(localize(f"note.{kind}{which}", genres=genres, **wanted))
    return notes
