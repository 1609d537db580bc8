"""Ranking of songs: relevance to the query, and diversity by maximal marginal relevance (MMR)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Final

from dashboard.recommendations.domain.genre_mix import GenreMix
from dashboard.recommendations.domain.identity import artist_keys, normalize_title
from dashboard.recommendations.domain.tracks import (
    INSTRUMENTAL,
    UPLOAD_DATES,
    Relaxed,
    ReleaseRange,
    Track,
    TrackQuery,
)

LANGUAGE_TRUST: Final = {"provider": 1.0, "artist": 0.9, "script": 0.6, "hint": 0.4}
"""Confidence in the language of a song, by the source of the language. The script alone is right for 33 of
40 known titles. The other values are estimates."""
PRECISION_DAYS: Final = {"day": 1, "month": 31, "year": 366}
"""Days that a date of each precision may cover."""
LAST_RANK: Final = 50
"""Provider rank from which on all ranks count the same: the depth of a pool."""
NEUTRAL: Final = 0.5
"""Score of a property that is unknown."""


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """Weights of the terms of the score. They are a first choice and not measured."""

    genre: float = 0.5
    language: float = 0.15
    freshness: float = 0.15
    rank: float = 0.1
    page: float = 0.2
    """Weight of a page of the song at its provider. A song that can only be searched for comes later."""
    feedback: float = 0.4
    """Weight of the preference for an artist minus 0.5. An artist liked twice gains 0.1."""
    relevance: float = 0.7
    """Lambda of MMR, the weight of the score. The rest weighs the difference from selected songs."""

    def __post_init__(self) -> None:
        """Check that the weights lie in 0..1.

        Raises
        ------
        ValueError
            If a weight is outside of 0..1. The message names the weight and its value.
        """
        for field in fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}; it must lie in 0..1")


def release_span(track: Track) -> tuple[date, date] | None:
    """Return the first and the last possible day of publication, or None if the date is unknown."""
    published, precision = track.published, track.precision
    if published is None or precision not in PRECISION_DAYS:
        return None
    if precision == "year":
        return published.replace(month=1, day=1), published.replace(month=12, day=31)
    if precision == "month":
        first = published.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return published, published


def unmet_filters(track: Track, query: TrackQuery, today: date) -> frozenset[Relaxed]:
    """Return the filters that a song does not pass, or is not known to pass.

    A release date passes a range only if it is at least as precise as the range is long. A release year
    can pass "the last year", if one of its days is in the range, but never "the last week". The date of an
    upload never passes a decade, because old songs are uploaded today.
    """
    missed = set()
    if query.language is not None and track.language != query.language:
        missed.add(Relaxed.LANGUAGE)
    since, until, days = query.range.since(today), query.range.until, query.range.days
    if since is not None:
        possible = release_span(track)
        is_upload = until is not None and track.provider in UPLOAD_DATES
        too_old = possible is None or possible[1] < since or is_upload
        too_new = until is not None and possible is not None and possible[1] > until
        # A leap year of 366 days counts as a year too.
        if too_old or too_new or (days is not None and PRECISION_DAYS[track.precision] > days + 1):
            missed.add(Relaxed.RANGE)
    return frozenset(missed)


def freshness(track: Track, wanted: ReleaseRange, today: date) -> float:
    """Return the freshness, 0..1: 1 for today, halved after half the range, and 0.5 for an unknown date.

    If any age or a decade is wanted, the freshness is 0.5 for all songs.
    """
    possible = release_span(track)
    if possible is None or wanted.days is None:
        return NEUTRAL
    middle = possible[0] + (possible[1] - possible[0]) / 2
    age_days = max(0, (today - middle).days)
    return float(0.5 ** (age_days / (wanted.days / 2)))


def language_confidence(track: Track, language: str | None) -> float:
    """Return the confidence, 0..1, that a song is in a language.

    Any language (None) and songs without lyrics have confidence 1.
    """
    if language is None or track.language == INSTRUMENTAL:
        return 1.0
    return LANGUAGE_TRUST.get(track.language_source, 0.0) if track.language == language else 0.0


def score(
    track: Track,
    query: TrackQuery,
    target: GenreMix,
    today: date,
    preference: float,
    settings: RankingSettings,
) -> float:
    """Return the relevance of a song, about 0..1.

    Parameters
    ----------
    track : Track
        Song to score.
    query : TrackQuery
        Genre of the slot, and language and range of the user.
    target : GenreMix
        Target mix. A song of another genre than that of the query scores the share of its genre.
    today : date
        Day from which the age of the song is counted.
    preference : float
        Probability that the user likes the artist, 0..1.
    settings : RankingSettings
        Weights of the terms.
    """
    fits = 1.0 if track.genre == query.genre else target.get(track.genre, 0.0)
    return (
        settings.genre * fits
        + settings.language * language_confidence(track, query.language)
        + settings.freshness * freshness(track, query.range, today)
        + settings.rank * (1 - min(track.rank, LAST_RANK) / LAST_RANK)
        + settings.page * bool(track.provider_id)
        + settings.feedback * (preference - 0.5)
    )


def similarity(first: Track, second: Track) -> float:
    """Return the similarity of two songs for MMR (Carbonell & Goldstein, 1998).

    The similarity is 1 for songs of one artist, 0.8 for one album, else 0. The language does not count, since
    the user chose it.
    """
    if artist_keys(first.artists) & artist_keys(second.artists):
        return 1.0
    same_album = first.album and normalize_title(first.album) == normalize_title(second.album)
    return 0.8 if same_album else 0.0


def select_best(
    scored: Iterable[tuple[float, Track]],
    selected: Sequence[Track],
    blocked: Collection[str],
    relevance: float,
) -> Track | None:
    """Return the next song by maximal marginal relevance, or None if every artist is blocked.

    The criterion is ``relevance * score - (1 - relevance) * similarity`` to the most similar of the
    selected songs (Carbonell & Goldstein, SIGIR 1998). Ties are resolved by the rank at the provider, then
    by the title.
    """
    blocked = frozenset(blocked)

    def sort_key(candidate: tuple[float, Track]) -> tuple[float, int, str]:
        relevance_score, track = candidate
        nearest = max((similarity(track, other) for other in selected), default=0.0)
        return (-(relevance * relevance_score - (1 - relevance) * nearest), track.rank, track.title)

    allowed = [each for each in scored if not artist_keys(each[1].artists) & blocked]
    return min(allowed, key=sort_key)[1] if allowed else None
