"""Filters, repeats and changes of the list during two hours of steady music, without keys."""

from __future__ import annotations

from collections import Counter

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.engine.playlist import Filters
from dashboard.recommendations.providers.catalog.songs import Song, load
from tests.support.genres import GENRES
from tests.support.steady_music import HEADER, TwoHours, play_two_hours

ENOUGH_SONGS = 20
"""Songs of a genre and language with which ten rows need no repeat: the ten that are not in the list last for
the 45 minutes until the first one may return."""
STILL_SECONDS = 600.0
"""Longest time without another song or another order."""


def check(genre: str, language: str | None, songs: tuple[Song, ...] | None = None) -> TwoHours:
    """Play two hours, print the figures and compare them with the bounds that hold for every cell."""
    cell = [
        song
        for song in (load() if songs is None else songs)
        if song.genre == genre and language in (None, song.language)
    ]
    played = play_two_hours(genre, Filters(language), songs)
    name = f"{genre} {language or 'any'}"
    print(f"\n{HEADER}\n{played.line(name, len(cell))}")
    assert played.worst >= 0.95
    assert played.repeats == 0
    if len(cell) >= ENOUGH_SONGS:
        assert played.longest_still <= STILL_SECONDS
        assert min(played.rows) == 10
        assert len(played.songs) >= ENOUGH_SONGS
    return played


@pytest.mark.parametrize("genre", GENRES)
def test_the_bundled_list_keeps_its_filters_for_two_hours(genre: str) -> None:
    """Regression: in English rock, all songs passed the filters at first and none after seven minutes."""
    sizes = Counter(song.language for song in load() if song.genre == genre)
    for language in (None, *(code for code in LANGUAGES if sizes[code] >= ENOUGH_SONGS)):
        check(genre, language)


def made_up(count: int, artists: int) -> tuple[Song, ...]:
    return tuple(
        Song(f"artist {number % artists}", f"{language} song {number}", 1990 + number % 30, "rock", language)
        for language in ("en", "ko")
        for number in range(count)
    )


def test_twenty_songs_are_enough_for_ten_rows() -> None:
    played = check("rock", "en", made_up(20, artists=20))
    assert len(played.songs) == 20


def test_twenty_songs_by_twelve_artists_are_enough_for_ten_rows() -> None:
    check("rock", "en", made_up(20, artists=12))


@pytest.mark.parametrize("count", [0, 3, 12])
def test_fewer_songs_give_fewer_rows_or_another_order_and_no_repeat(count: int) -> None:
    played = check("rock", "en", made_up(count, artists=count or 1))
    assert min(played.rows, default=0) == min(count, 10)
    assert played.longest_still <= STILL_SECONDS
