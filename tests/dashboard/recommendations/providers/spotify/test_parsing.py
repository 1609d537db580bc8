"""Search texts for Spotify."""

from __future__ import annotations

from datetime import date

import pytest

from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.providers.spotify.parsing import search_text
from tests.support.services.spotify_searches import TODAY


@pytest.mark.parametrize(
    ("genre", "language", "span", "keywords", "expected"),
    [
        ("hiphop", "ko", ReleaseRange.YEAR, False, 'genre:"k-rap" year:2025-2026'),
        ("pop", "zh", ReleaseRange.MONTH, False, 'genre:"mandopop" year:2026'),
        ("rock", "ru", ReleaseRange.ANY, False, 'genre:"russian rock"'),
        ("hiphop", "en", ReleaseRange.ANY, True, "hip hop"),
        ("rock", "ja", ReleaseRange.ANY, True, "ロック"),
        ('x" year:1', None, ReleaseRange.ANY, False, 'genre:"x  year 1"'),
    ],
)
def test_the_search_text_follows_genre_language_and_range(
    genre: str, language: str | None, span: ReleaseRange, keywords: bool, expected: str
) -> None:
    assert search_text(TrackQuery(genre, language, span), TODAY, keywords=keywords) == expected


def test_a_week_in_january_asks_for_two_years() -> None:
    query = TrackQuery("pop", "en", ReleaseRange.WEEK)
    assert search_text(query, date(2027, 1, 3), keywords=False) == 'genre:"pop" year:2026-2027'
