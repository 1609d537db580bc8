"""Table of search terms: complete for every genre and language, and harmless for unknown labels."""

from __future__ import annotations

import re
from itertools import product

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.providers.search_terms import (
    GENRE_TERMS,
    LANGUAGE_TERMS,
    MUSIC_TOPIC,
    song_words,
    spotify_genre,
    spotify_market,
    spotify_words,
    terms_for,
    words_for,
)
from dashboard.viewmodels.theme import GENRE_COLORS
from models.manifest import ModelManifest


def test_every_genre_of_the_model_and_every_language_has_its_terms_and_its_color() -> None:
    labels = ModelManifest.load().labels
    assert tuple(GENRE_TERMS) == tuple(GENRE_COLORS) == labels
    assert list(LANGUAGE_TERMS) == list(LANGUAGES)
    for genre, terms in GENRE_TERMS.items():
        assert list(terms.words) == list(LANGUAGES), genre
        assert {*terms.spotify_genres, *terms.spotify_words} <= {*LANGUAGES} - {"en"}, genre
        assert re.fullmatch(terms.itunes, genre.replace("hiphop", "Hip-Hop"), re.IGNORECASE), genre


def test_searches_of_two_genres_never_ask_for_the_same() -> None:
    for language in (None, *LANGUAGES):
        for words in (words_for, song_words, spotify_genre, spotify_words):
            assert len({words(genre, language) for genre in GENRE_TERMS}) == len(GENRE_TERMS), language


@pytest.mark.parametrize(
    ("genre", "language", "filtered", "words"),
    [
        ("hiphop", None, "hip hop", "hip hop"),
        ("hiphop", "ja", "j-rap", "ヒップホップ"),
        ("hiphop", "ru", "russian hip hop", "рэп"),
        ("classical", "en", "classical", "classical"),
        ("pop", "ko", "k-pop", "가요"),
        ("blues", "zh", "chinese blues", "藍調"),
    ],
)
def test_spotify_is_asked_in_its_own_words(
    genre: str, language: str | None, filtered: str, words: str
) -> None:
    assert (spotify_genre(genre, language), spotify_words(genre, language)) == (filtered, words)


def test_a_language_without_a_market_is_searched_everywhere() -> None:
    assert [spotify_market(language) for language in (None, "en", "ru")] == [None, "US", None]


def test_a_genre_of_another_model_is_searched_for_by_its_label() -> None:
    for language in (None, *LANGUAGES):
        assert words_for("drum & bass", language) == "drum & bass"
        assert spotify_words("drum & bass", language) == "drum & bass"
    assert terms_for("drum & bass").youtube_topic == MUSIC_TOPIC
    assert re.fullmatch(terms_for("a.b*").itunes, "a.b*")
    for genre, language in product(['x" OR y:z*'], (None, *LANGUAGES)):
        assert not set('":*') & set(spotify_genre(genre, language) + spotify_words(genre, language))
