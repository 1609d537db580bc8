"""Search texts for Spotify, and songs from its rows."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from dashboard.recommendations.domain.language import classify_language
from dashboard.recommendations.domain.text import parse_name
from dashboard.recommendations.domain.tracks import ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.search_terms import spotify_genre, spotify_words

MAX_ARTISTS: Final = 10
"""Maximum number of artists of a song that are shown."""

_TRACK_URL: Final = re.compile(r"https://open\.spotify\.com/[\w/?=&%.-]+", re.ASCII)
_IMAGE_URL: Final = re.compile(r"https://[\w.-]+\.(scdn\.co|spotifycdn\.com)/[\w/?=&%.-]+", re.ASCII)


def search_text(query: TrackQuery, today: date, *, keywords: bool) -> str:
    """Return the search text: ``genre:"j-rock" year:2025-2026``, or keywords in the language itself.

    The text for a week or a month names the year, since Spotify cannot filter by month. Older songs are
    filtered out after the search.
    """
    if keywords:
        text = spotify_words(query.genre, query.language)
    else:
        text = f'genre:"{spotify_genre(query.genre, query.language)}"'
    since, until = query.range.since(today), query.range.until or today
    if since is None:
        return text
    years = str(until.year) if since.year == until.year else f"{since.year}-{until.year}"
    return f"{text} year:{years}"


def parse_track(item: object, query: TrackQuery, today: date) -> Track | None:
    """Parse a row as a song.

    Returns
    -------
    Track or None
        None if the row lacks a part of a song, is too old or in another language.
    """
    title, album, track_id = _text(item, "name"), _text(item, "album", "name"), _text(item, "id")
    artist_items = get_path(item, "artists")
    artists = (
        tuple(filter(None, (_text(each, "name") for each in artist_items[:MAX_ARTISTS])))
        if isinstance(artist_items, list)
        else ()
    )
    url = _text(item, "external_urls", "spotify")
    # Songs that were taken down stay in the list with an empty album.
    if not (title and album and track_id and artists and _TRACK_URL.fullmatch(url)):
        return None
    if get_path(item, "is_playable") is False:
        return None
    published, precision = _parse_release_date(item)
    if not _is_in_range(published, precision, query.range, today):
        return None
    classified = classify_language(query.language, title, artists)
    if classified is None:
        return None
    length = get_path(item, "duration_ms")
    return Track(
        "Spotify", title, artists, url, query.genre, *classified, published, precision, album,
        length / 1000 if isinstance(length, int) and 0 < length < 10**9 else None,
        _artwork(item), _text(item, "external_ids", "isrc"), track_id,
    )  # fmt: skip


def get_path(value: object, *path: str) -> object:
    """Return the value at a path of names, or None if the path does not exist."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object, *path: str) -> str:
    """Return the text at a path in one line, shortened if necessary, or an empty text for other values."""
    return parse_name(get_path(value, *path))


def _parse_release_date(item: object) -> tuple[date | None, str]:
    text, precision = _text(item, "album", "release_date"), _text(item, "album", "release_date_precision")
    rest = {"day": "", "month": "-01", "year": "-01-01"}
    try:
        return date.fromisoformat(text + rest[precision]), precision
    except (KeyError, ValueError):
        return None, "none"


def _is_in_range(published: date | None, precision: str, release_range: ReleaseRange, today: date) -> bool:
    """Return True if the song is from the range. A release year suffices for the range of a year or more."""
    since, until = release_range.since(today), release_range.until
    if since is None:
        return True
    if until is not None:
        return published is not None and since <= published <= until
    if published is None or published > today + timedelta(days=1):  # the next day begins earlier in the east
        return False
    if precision == "day":
        return published >= since
    start = since.replace(day=1) if precision == "month" else since.replace(month=1, day=1)
    return release_range is ReleaseRange.YEAR and published >= start


def _artwork(item: object) -> str:
    """Return the address of the smallest image that is sharp enough, or an empty text without an image."""
    images = get_path(item, "album", "images")
    found: list[tuple[int, str]] = []
    for image in images if isinstance(images, list) else ():
        url, width = _text(image, "url"), get_path(image, "width")
        if _IMAGE_URL.fullmatch(url):
            found.append((width if isinstance(width, int) and width >= 160 else 10_000, url))
    return min(found)[1] if found else ""
