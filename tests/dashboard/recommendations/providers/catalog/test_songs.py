"""Songs of the bundled catalog."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
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

LATEST_YEAR = 2025
CELL_MINIMUM = 6
SPARSE = {  # genres that have few well-known songs in a language, with the exact number
    ("blues", "ko"): 3,
    ("blues", "ru"): 3,
    ("blues", "zh"): 2,
    ("country", "ja"): 3,
    ("country", "ko"): 2,
    ("country", "ru"): 0,
    ("country", "zh"): 2,
    ("disco", "zh"): 3,
    ("jazz", "ko"): 4,
    ("metal", "zh"): 3,
    ("reggae", "ru"): 3,
    ("reggae", "zh"): 2,
}


def entry(**changes: Any) -> str:
    fields = {"artist": "AC/DC", "title": "Back in Black", "year": 1980, "genre": "rock", "language": "en"}
    return json.dumps(fields | changes)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def test_every_genre_has_songs_in_every_language() -> None:
    counts = Counter((song.genre, song.language) for song in catalog.load())
    columns = (*sorted(LANGUAGES), "")
    print("\n" + " " * 10 + "".join(f"{language or 'none':>6}" for language in columns))
    for genre in GENRES:
        print(f"{genre:10}" + "".join(f"{counts[genre, language]:6}" for language in columns))
    for genre in GENRES:
        for language in sorted(LANGUAGES):
            count = counts[genre, language]
            assert count == SPARSE.get((genre, language), max(count, CELL_MINIMUM)), (genre, language)
    assert {genre for genre, language in counts if not language} == {"classical", "jazz"}
    assert min(counts["classical", ""], counts["jazz", ""]) >= CELL_MINIMUM
    assert {genre for genre, _ in counts} == set(GENRES)


def test_there_are_enough_songs_and_few_of_one_artist() -> None:
    assert 300 <= len(catalog.load()) <= 400
    artists = Counter(folded(song.artist) for song in catalog.load())
    assert [artist for artist, count in artists.items() if count > 3] == []


def test_no_song_is_listed_twice() -> None:
    counts = Counter((folded(song.artist), folded(song.title)) for song in catalog.load())
    assert [song for song, count in counts.items() if count > 1] == []


def test_fields_are_normalized_and_years_are_past() -> None:
    for song in catalog.load():
        for text in (song.artist, song.title, song.artist_romanized, song.title_romanized):
            assert text == " ".join(text.split()), song
            assert text == unicodedata.normalize("NFC", text), song
        assert song.year <= LATEST_YEAR, song
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
