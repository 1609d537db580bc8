"""Which song of a pool comes next: how well it fits, and how much it differs from what is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Final

from dashboard.recommendations.domain.genre_mix import GenreMix
from dashboard.recommendations.domain.identity import artist_keys, normalize_title
from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, Track, TrackQuery

LANGUAGE_TRUST: Final = {"provider": 1.0, "artist": 0.9, "script": 0.6, "hint": 0.4}
"""By how a language is known. The order was tried on 40 known titles, with 33 right for
the script alone; the rest are judgement."""
PRECISION_DAYS: Final = {"day": 1, "month": 31, "year": 366}
"""How long the time is that a date of that precision leaves open."""
OLD_DAYS: Final = 3650.0
"""Half-life of freshness where any age is wanted: ten years, so that it hardly decides."""
LAST_RANK: Final = 50
"""Depth of a pool; ranks behind it count the same."""
NEUTRAL: Final = 0.5


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """Weights of what makes a song fit; a first choice, not measured."""

    genre: float = 0.5
    language: float = 0.15
    freshness: float = 0.15
    mood: float = 0.1
    rank: float = 0.1
    feedback: float = 0.4
    """Of how far the belief in an artist is from 0.5; an artist liked twice gains 0.1."""
    relevance: float = 0.7
    """MMR's lambda: the rest is difference from the songs already there."""

    def __post_init__(self) -> None:
        """Refuse weights outside 0..1.

        Raises
        ------
        ValueError
            With the name and the value.
        """
        for field in fields(self):
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}; it must lie in 0..1")


def span(track: Track) -> tuple[date, date] | None:
    """The first and the last day that it may have been published; None when nothing is known."""
    published, precision = track.published, track.precision
    if published is None or precision not in PRECISION_DAYS:
        return None
    if precision == "year":
        return published.replace(month=1, day=1), published.replace(month=12, day=31)
    if precision == "month":
        first = published.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return published, published


def misses(track: Track, query: TrackQuery, today: date) -> frozenset[Relaxed]:
    """The filters that a song does not pass, or is not known to pass.

    A date counts for a range that is no shorter than what it leaves open: a year of release answers
    "the last year", if any day of it lies therein, but never "the last week".
    """
    missed = set()
    if query.language is not None and track.language != query.language:
        missed.add(Relaxed.LANGUAGE)
    since, days = query.range.since(today), query.range.days
    if since is not None and days is not None:
        possible = span(track)
        # 366 days of a leap year are "a year" too.
        if possible is None or possible[1] < since or PRECISION_DAYS[track.precision] > days + 1:
            missed.add(Relaxed.RANGE)
    return frozenset(missed)


def freshness(track: Track, wanted: ReleaseRange, today: date) -> float:
    """1 for today, half of it after half the range (ten years for any age); 0.5 when nothing is known."""
    possible = span(track)
    if possible is None:
        return NEUTRAL
    middle = possible[0] + (possible[1] - possible[0]) / 2
    age_days = max(0, (today - middle).days)
    return float(0.5 ** (age_days / (OLD_DAYS if wanted.days is None else wanted.days / 2)))


def language_confidence(track: Track, language: str | None) -> float:
    """How sure it is that the song is in the language; 1 where any will do."""
    if language is None:
        return 1.0
    return LANGUAGE_TRUST.get(track.language_source, 0.0) if track.language == language else 0.0


def mood_fit(track: Track) -> float:
    """The place for tempo and mood (``Track.tempo_bpm``): neutral until a provider tells them."""
    return NEUTRAL


def score(
    track: Track,
    query: TrackQuery,
    target: GenreMix,
    today: date,
    belief: float,
    settings: RankingSettings,
) -> float:
    """How well a song fits, about 0..1.

    Parameters
    ----------
    track : Track
        The song.
    query : TrackQuery
        What is wanted: the genre of the place, the person's language and range.
    target : Mix
        The mix of genres that is aimed at: what a song of a genre other than wanted is worth.
    today : date
        For its age.
    belief : float
        How likely the person likes the artist, 0..1.
    settings : RankingSettings
        The weights.
    """
    fits = 1.0 if track.genre == query.genre else target.get(track.genre, 0.0)
    return (
        settings.genre * fits
        + settings.language * language_confidence(track, query.language)
        + settings.freshness * freshness(track, query.range, today)
        + settings.mood * mood_fit(track)
        + settings.rank * (1 - min(track.rank, LAST_RANK) / LAST_RANK)
        + settings.feedback * (belief - 0.5)
    )


def similarity(first: Track, second: Track) -> float:
    """Of two songs: 1 by one artist, 0.8 on one album, 0.3 in one genre and language, else 0.

    After Carbonell and Goldstein (1998), maximal marginal relevance.
    """
    if artist_keys(first.artists) & artist_keys(second.artists):
        return 1.0
    if first.album and normalize_title(first.album) == normalize_title(second.album):
        return 0.8
    return 0.3 if (first.genre, first.language) == (second.genre, second.language) else 0.0


def best(
    scored: Iterable[tuple[float, Track]],
    chosen: Sequence[Track],
    blocked: Collection[str],
    relevance: float,
) -> Track | None:
    """The next song by maximal marginal relevance; None when every artist is blocked.

    Carbonell & Goldstein, SIGIR 1998: ``relevance * score - (1 - relevance) * similarity`` to the most
    similar of ``chosen``. Ties go to the earlier place at the provider, then to the title.
    """
    blocked = frozenset(blocked)

    def worth(candidate: tuple[float, Track]) -> tuple[float, int, str]:
        points, track = candidate
        nearest = max((similarity(track, other) for other in chosen), default=0.0)
        return (-(relevance * points - (1 - relevance) * nearest), track.rank, track.title)

    free = [one for one in scored if not artist_keys(one[1].artists) & blocked]
    return min(free, key=worth)[1] if free else None
