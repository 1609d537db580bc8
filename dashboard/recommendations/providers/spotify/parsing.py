"""What Spotify is asked, and what is read from its rows: values in, values out."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from dashboard.recommendations.domain.language import classify_language
from dashboard.recommendations.domain.text import parse_name
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.search_terms import spotify_genre, spotify_words

ARTISTS_MAX: Final = 10
"""Of one song that are named."""

_TRACK_URL: Final = re.compile(r"https://open\.spotify\.com/[\w/?=&%.-]+", re.ASCII)
_IMAGE_URL: Final = re.compile(r"https://[\w.-]+\.(scdn\.co|spotifycdn\.com)/[\w/?=&%.-]+", re.ASCII)


def search_text(query: TrackQuery, today: date, *, keywords: bool) -> str:
    """What is searched for: ``genre:"j-rock" year:2025-2026``, or keywords in the language itself.

    A week or a month is asked for by its year, for Spotify knows no months; the rest is sorted out after.
    """
    if keywords:
        text = spotify_words(query.genre, query.language)
    else:
        text = f'genre:"{spotify_genre(query.genre, query.language)}"'
    since = query.range.since(today)
    if since is None:
        return text
    return (
        f"{text} year:{today.year}" if since.year == today.year else f"{text} year:{since.year}-{today.year}"
    )


def read_track(item: object, query: TrackQuery, today: date) -> Track | None:
    """A row as a song; None where it lacks what a song needs, is too old or in another language."""
    title, album, identity = _text(item, "name"), _text(item, "album", "name"), _text(item, "id")
    listed = at(item, "artists")
    artists = (
        tuple(filter(None, (_text(each, "name") for each in listed[:ARTISTS_MAX])))
        if isinstance(listed, list)
        else ()
    )
    url = _text(item, "external_urls", "spotify")
    # Taken-down songs stay in the list, with an empty album.
    if not (title and album and identity and artists and _TRACK_URL.fullmatch(url)):
        return None
    if at(item, "is_playable") is False:
        return None
    published, precision = _released(item)
    if not _recent(published, precision, query.range, today):
        return None
    judged = classify_language(query.language, title, artists)
    if judged is None:
        return None
    length = at(item, "duration_ms")
    return Track(
        "Spotify", title, artists, url, query.genre, *judged, published, precision, album,
        length / 1000 if isinstance(length, int) and 0 < length < 10**9 else None,
        _artwork(item), _text(item, "external_ids", "isrc"), identity,
    )  # fmt: skip


def at(value: object, *path: str) -> object:
    """What lies at a path of names; None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object, *path: str) -> str:
    """A text in one line, cut where it is too long; empty for anything else."""
    return parse_name(at(value, *path))


def _released(item: object) -> tuple[date | None, str]:
    text, precision = _text(item, "album", "release_date"), _text(item, "album", "release_date_precision")
    rest = {"day": "", "month": "-01", "year": "-01-01"}
    try:
        return date.fromisoformat(text + rest[precision]), precision
    except (KeyError, ValueError):
        return None, "none"


def _recent(published: date | None, precision: str, span: ReleaseRange, today: date) -> bool:
    """Whether it is from the range: a year alone says enough for a year, not for a week or month."""
    since = span.since(today)
    if since is None:
        return True
    if published is None or published > today + timedelta(days=1):  # the day begins earlier in the east
        return False
    if precision == "day":
        return published >= since
    start = since.replace(day=1) if precision == "month" else since.replace(month=1, day=1)
    return span is ReleaseRange.YEAR and published >= start


def _artwork(item: object) -> str:
    """The smallest picture that is still sharp; empty if there is none."""
    images = at(item, "album", "images")
    found: list[tuple[int, str]] = []
    for image in images if isinstance(images, list) else ():
        url, width = _text(image, "url"), at(image, "width")
        if _IMAGE_URL.fullmatch(url):
            found.append((width if isinstance(width, int) and width >= 160 else 10_000, url))
    return min(found)[1] if found else ""
