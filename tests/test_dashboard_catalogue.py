from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from dashboard.errors import CatalogueError
from dashboard.recommendations import Song, catalogue, songs_for
from dashboard.recommendations.catalogue import LANGUAGES, parse_catalogue

LATEST_YEAR = 2025


def entry(**changes: Any) -> str:
    fields = {"artist": "AC/DC", "title": "Back in Black", "year": 1980, "genre": "rock", "language": "en"}
    return json.dumps(fields | changes)


def test_every_genre_has_enough_songs_by_different_artists() -> None:
    for genre, count in Counter(song.genre for song in catalogue.load()).items():
        artists = [song.artist.casefold() for song in catalogue.load() if song.genre == genre]
        assert count >= 8, genre
        assert len(set(artists)) == count, f"an artist stands twice in {genre}"


def test_no_song_stands_twice() -> None:
    counts = Counter((song.artist.casefold(), song.title.casefold()) for song in catalogue.load())
    assert [song for song, count in counts.items() if count > 1] == []


def test_years_are_past_and_all_languages_occur() -> None:
    assert max(song.year for song in catalogue.load()) <= LATEST_YEAR
    assert {song.language for song in catalogue.load()} - {""} == LANGUAGES


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
def test_links_carry_unusual_names_whole(artist: str, title: str) -> None:
    song = Song(artist, title, 2000, "rock", "en")
    spotify, youtube = urlsplit(song.spotify_url), urlsplit(song.youtube_url)
    assert (spotify.scheme, spotify.netloc) == ("https", "open.spotify.com")
    assert (youtube.scheme, youtube.netloc, youtube.path) == ("https", "www.youtube.com", "/results")
    assert spotify.path.startswith("/search/")
    assert spotify.path.count("/") == 2, "a slash in a name must not become part of the path"
    assert not spotify.query
    assert not spotify.fragment
    assert unquote(spotify.path.removeprefix("/search/")) == f"{artist} {title}"
    assert parse_qs(youtube.query) == {"search_query": [f"{artist} {title}"]}
    assert song.spotify_url.isascii()
    assert song.youtube_url.isascii()


def test_songs_are_dealt_in_turn() -> None:
    songs = tuple(Song(f"artist {n}", f"title {n}", 2000, "rock", "en") for n in range(5))
    dealt = [[song.title[-1] for song in songs_for("rock", 2, rotation, songs)] for rotation in range(4)]
    assert dealt == [["0", "1"], ["2", "3"], ["4", "0"], ["1", "2"]]
    assert songs_for("rock", 9, 0, songs) == songs
    assert songs_for("jazz", 2, 0, songs) == ()
    assert songs_for("rock", 6) == songs_for("rock", 6)


@pytest.mark.parametrize("genre", sorted({song.genre for song in catalogue.load()}))
def test_first_deal_is_full_and_of_the_genre(genre: str) -> None:
    songs = songs_for(genre, 6)
    assert len(songs) == 6
    assert {song.genre for song in songs} == {genre}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2 .*wrong"),
        ("[1]", "exactly the fields artist, genre, language, title, year"),
        (entry(extra=1), "exactly the fields"),
        (entry(artist=" "), "artist must be a text"),
        (entry(title=7), "title must be a text"),
        (entry(year="1980"), "year '1980'"),
        (entry(year=True), "year True"),
        (entry(year=80), "year 80"),
        (entry(language="xx"), "language 'xx'"),
    ],
)
def test_a_damaged_line_is_named(line: str, complaint: str) -> None:
    with pytest.raises(CatalogueError, match=complaint):
        parse_catalogue(f"{entry()}\n{line}\n")


def test_empty_lines_are_allowed() -> None:
    assert len(parse_catalogue(f"\n{entry()}\n\n{entry(title='x')}\n")) == 2
