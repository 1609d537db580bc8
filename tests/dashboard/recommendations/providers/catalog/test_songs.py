"""Songs of the bundled catalog."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from dashboard.errors import CatalogError
from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import Track
from dashboard.recommendations.providers.catalog import songs as catalog
from dashboard.recommendations.providers.catalog.songs import (
    is_latin,
    parse_catalog,
)
from tests.support.genres import GENRES

LANGUAGE_COLUMNS = ("en", "ja", "ko", "zh", "ru", "")
MINIMUM_SONGS = {  # by genre, in the order of the columns: some genres have few songs in a language
    "blues": (93, 7, 7, 1, 4, 0),
    "classical": (58, 27, 14, 16, 26, 128),
    "country": (97, 2, 2, 1, 0, 0),
    "disco": (87, 18, 13, 4, 9, 0),
    "hiphop": (100, 39, 39, 17, 29, 0),
    "jazz": (71, 12, 8, 8, 4, 97),
    "metal": (114, 21, 10, 4, 16, 0),
    "pop": (102, 61, 61, 50, 41, 0),
    "reggae": (101, 9, 9, 1, 3, 0),
    "rock": (110, 49, 44, 36, 38, 0),
}
"""Songs of a genre and a language that the catalog has at least."""

SONGS_OF_ONE_ARTIST = 2
"""Songs of one artist in a genre and a language that the catalog has at most."""

FIRST_DECADE = {
    "blues": 1920,
    "country": 1940,
    "hiphop": 1980,
    "jazz": 1930,
    "metal": 1970,
    "pop": 1960,
    "reggae": 1960,
    "rock": 1950,
}
"""Decade from which on the English songs of a genre cover every decade."""

SONGS_OF_A_DECADE = 3
RECENT_GENRES = ("hiphop", "metal", "pop", "rock")
RECENT_SINCE = 2015


def entry(**changes: Any) -> str:
    fields = {"artist": "AC/DC", "title": "Back in Black", "year": 1980, "genre": "rock", "language": "en"}
    return json.dumps(fields | changes)


def folded_letters(text: str) -> str:
    """Return letters and digits only, without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text).casefold() if sign.isalnum())


def test_every_genre_has_enough_songs_in_every_language() -> None:
    counts = Counter((song.genre, song.language) for song in catalog.load())
    print("\n" + " " * 10 + "".join(f"{language or 'none':>6}" for language in LANGUAGE_COLUMNS))
    for genre in GENRES:
        print(f"{genre:10}" + "".join(f"{counts[genre, language]:6}" for language in LANGUAGE_COLUMNS))
    assert {*LANGUAGES, ""} == set(LANGUAGE_COLUMNS)
    assert {genre for genre, _ in counts} == set(GENRES) == set(MINIMUM_SONGS)
    assert {
        (genre, language): counts[genre, language]
        for genre in GENRES
        for language, minimum in zip(LANGUAGE_COLUMNS, MINIMUM_SONGS[genre], strict=True)
        if counts[genre, language] < minimum
    } == {}
    assert {genre for genre, language in counts if not language} == {"classical", "jazz"}


def test_an_artist_has_few_songs_in_a_genre_and_a_language() -> None:
    counts = Counter((song.genre, song.language, folded_letters(song.artist)) for song in catalog.load())
    assert {cell: count for cell, count in counts.items() if count > SONGS_OF_ONE_ARTIST} == {}


def test_no_song_is_listed_twice() -> None:
    counts = Counter((folded_letters(song.artist), folded_letters(song.title)) for song in catalog.load())
    assert [song for song, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("genre", FIRST_DECADE)
def test_the_songs_of_a_genre_cover_its_decades(genre: str) -> None:
    decades = Counter(
        song.year // 10 * 10 for song in catalog.load() if (song.genre, song.language) == (genre, "en")
    )
    expected = range(FIRST_DECADE[genre], max(decades) + 10, 10)
    assert {decade for decade in expected if decades[decade] < SONGS_OF_A_DECADE} == set()


@pytest.mark.parametrize("genre", RECENT_GENRES)
def test_a_third_of_a_living_genre_is_recent(genre: str) -> None:
    years = [song.year for song in catalog.load() if (song.genre, song.language) == (genre, "en")]
    assert sum(year >= RECENT_SINCE for year in years) >= len(years) / 3


def test_instrumental_works_outnumber_sung_ones_without_a_language() -> None:
    """A listener to a piano sonata wants no anthems."""
    classical = [song for song in catalog.load() if song.genre == "classical"]
    without_words = [song for song in classical if not song.language]
    english = [song for song in classical if song.language == "en"]
    assert len(without_words) >= 2 * len(english)
    assert len(without_words) >= 0.45 * len(classical)


def test_the_newest_songs_are_of_this_year_or_the_last() -> None:
    """The catalog must not age silently. A clock that is behind the catalog says nothing about its age."""
    newest = max(song.year for song in catalog.load())
    this_year = datetime.now(UTC).year
    assert newest >= this_year - 1, f"add songs of {this_year}: the newest is of {newest}"


def test_documents_tell_the_number_of_songs() -> None:
    sentence = f"bundled list of {len(catalog.load()):,} songs"
    root = Path(__file__).parents[5]
    for document in ("CHANGELOG.md", "dashboard/README.md"):
        assert sentence in " ".join((root / document).read_text(encoding="utf-8").split()), document


def test_fields_are_normalized_and_years_are_credible() -> None:
    for song in catalog.load():
        for text in (song.artist, song.title, song.artist_romanized, song.title_romanized):
            assert text == " ".join(text.split()), song
            assert text == unicodedata.normalize("NFC", text), song
        assert song.genre == "classical" or song.year >= 1900, song


def test_names_are_romanized_exactly_where_they_are_not_in_latin_letters() -> None:
    for song in catalog.load():
        for native, romanized in (
            (song.artist, song.artist_romanized),
            (song.title, song.title_romanized),
        ):
            others = [sign for sign in native if sign.isalpha() and "LATIN" not in unicodedata.name(sign)]
            assert bool(others) == bool(romanized), song
            assert is_latin(romanized), song
            assert song.language or not romanized, "instrumental works have names in Latin letters"
    shown = {song.title: song.romanized for song in catalog.load()}
    assert shown["荒城の月"] == "Kojo no Tsuki - Rentaro Taki"
    assert shown["Где нас нет"] == "Gde nas net - Oxxxymiron"
    assert shown["First Love"] == "First Love - Hikaru Utada"
    assert shown["Boléro"] == ""


@pytest.mark.parametrize(
    ("language", "script"),
    [("ja", ("CJK", "HIRAGANA", "KATAKANA")), ("ko", ("HANGUL",)), ("zh", ("CJK",)), ("ru", ("CYRILLIC",))],
)
def test_native_names_are_in_the_script_of_the_language(language: str, script: tuple[str, ...]) -> None:
    for song in catalog.load():
        if song.language == language:
            names = [unicodedata.name(sign) for sign in song.artist + song.title if sign.isalpha()]
            assert [name for name in names if not name.startswith((*script, "LATIN"))] == [], song


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("AC/DC", "Back in Black"),
        ("Duke Ellington", 'Take the "A" Train'),
        ("宇多田ヒカル", "First Love"),
        ("Кино", "Группа крови"),
        ("He Zhanhao & Chen Gang", "100% #1? a+b = c"),
        ("<script>alert(1)</script>", "../../x"),
    ],
)
def test_links_quote_unusual_names(artist: str, title: str) -> None:
    track = Track("a list", title, (artist,), "", "rock")
    spotify, youtube = urlsplit(track.spotify_search), urlsplit(track.youtube_search)
    assert (spotify.scheme, spotify.netloc) == ("https", "open.spotify.com")
    assert (youtube.scheme, youtube.netloc, youtube.path) == ("https", "www.youtube.com", "/results")
    assert spotify.path.startswith("/search/")
    assert spotify.path.count("/") == 2, "a slash in a name must not become part of the path"
    assert not spotify.query
    assert not spotify.fragment
    assert unquote(spotify.path.removeprefix("/search/")) == f"{artist} {title}"
    assert parse_qs(youtube.query) == {"search_query": [f"{artist} {title}"]}
    assert track.spotify_search.isascii()
    assert track.youtube_search.isascii()


@pytest.mark.parametrize("genre", GENRES)
def test_the_first_six_songs_of_a_genre_mix_languages_and_artists(genre: str) -> None:
    songs = [song for song in catalog.load() if song.genre == genre][:6]
    assert len(songs) == 6
    assert {song.genre for song in songs} == {genre}
    assert len({song.artist for song in songs}) == 6
    assert len({song.language for song in songs}) >= 4


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2 .*wrong"),
        ("[1]", "exactly the fields artist, genre, language, title, year"),
        ('{"artist": "x"}', "exactly the fields"),
        (entry(extra=1), "exactly the fields"),
        (entry(artist=" "), "artist must be a text"),
        (entry(title=7), "title must be a text"),
        (entry(year="1980"), "year '1980'"),
        (entry(year=True), "year True"),
        (entry(year=80), "year 80"),
        (entry(language="xx"), "language 'xx'"),
        (entry(language=["en"]), "line 2 .*wrong"),
        (entry(title="紅"), "title_romanized of '紅' is needed"),
        (entry(title="紅", title_romanized=" "), "title_romanized of '紅' is needed"),
        (entry(title="紅", title_romanized="Кино"), "Latin letters"),
        (entry(artist="紅", artist_romanized=1), "artist_romanized 1 must be a text"),
        (entry(artist_romanized="AC/DC"), "'AC/DC' needs none"),
    ],
)
def test_a_damaged_line_is_named(line: str, complaint: str) -> None:
    with pytest.raises(CatalogError, match=complaint):
        parse_catalog(f"{entry()}\n{line}\n")


def test_empty_lines_are_allowed() -> None:
    assert len(parse_catalog(f"\n{entry()}\n\n{entry(title='x')}\n")) == 2
