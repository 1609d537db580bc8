"""Filters that follow from the choice of the user, the page, the browser and the titles that play."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace

import pytest

from dashboard.recommendations.domain.identity import identity_keys, playing_keys
from dashboard.recommendations.domain.language import heard_languages
from dashboard.recommendations.domain.tracks import INSTRUMENTAL, Relaxed, ReleaseRange, Track
from dashboard.recommendations.engine.playlist import Filters
from dashboard.recommendations.filter_choice import ANY, AUTOMATIC, FilterChoice, automatic_languages
from realtime.now_playing.players import clean_song
from tests.support.songs import songs
from tests.support.steady_music import play_two_hours


@pytest.mark.parametrize(
    ("heard", "reader", "languages"),
    [
        ([], ["en", "en"], ("en",)),
        ([], ["ja", "ja"], ("ja", "en")),
        ([], ["en", "ko"], ("en", "ko")),
        (["ja"], ["en", "en"], ("ja", "en")),
        (["ru"], ["ja", "ja"], ("ru", "ja", "en")),
    ],
)
def test_the_automatic_languages(heard: list[str], reader: list[str], languages: tuple[str, ...]) -> None:
    assert automatic_languages(heard, reader) == languages


def test_the_choice_gives_the_filters() -> None:
    languages, age = ("ja", "en"), ReleaseRange.FROM_1990
    assert FilterChoice().language == AUTOMATIC
    assert FilterChoice(range=age).filters(languages) == Filters("ja", age, ("en", INSTRUMENTAL))
    assert FilterChoice(ANY).filters(languages) == Filters()
    included = frozenset({Relaxed.LANGUAGE})
    assert FilterChoice("ko", included=included).filters(languages) == Filters("ko", included=included)


def titled(*titles: str) -> list[tuple[str, str]]:
    return [("", title) for title in titles]


@pytest.mark.parametrize(
    ("titles", "languages"),
    [
        ([], ()),
        (titled("Adele - Hello", "Sade - Paradise"), ()),
        (titled("スピッツ - ロビンソン"), ("ja",)),
        ([("스피카", "Tonight")], ("ko",)),
        (titled("Кино - Звезда", "ABBA - SOS", "Queen - Innuendo"), ("ru",)),
        (titled("Кино - Звезда", "ABBA - SOS", "Queen - Innuendo", "Sade - Paradise"), ()),
        (titled("周杰倫 - 晴天", "王菲 - 紅豆"), ("zh",)),
        (titled("中島みゆき - 地上の星", "美空ひばり - 川の流れのように", "石川さゆり - 津軽海峡"), ("ja",)),
        (titled("山下達郎 - 高気圧", "サザンオールスターズ - 希望の轍"), ("ja",)),
    ],
)
def test_the_script_of_the_titles_tells_their_language(
    titles: list[tuple[str, str]], languages: tuple[str, ...]
) -> None:
    assert heard_languages(titles) == languages


def test_a_language_that_plays_now_and_then_is_not_dropped_and_taken_again() -> None:
    """Regression: two languages among English titles changed the filters with 22 of 30 titles."""
    titles: deque[tuple[str, str]] = deque(maxlen=9)
    known: tuple[str, ...] = ()
    changes = 0
    for number in range(30):
        titles += titled(
            ["スピッツ - ロビンソン", "Кино - Звезда", "Adele - Hello", "ABBA - SOS"][number % 4]
        )
        before, known = known, heard_languages(titles, known)
        changes += set(before) != set(known)
    assert (changes, set(known)) == (2, {"ja", "ru"})
    titles.extend(titled("Adele - Hello") * 8)
    assert heard_languages(titles, known) == ()


@pytest.mark.parametrize(
    ("artist", "song", "title"),
    [
        ("jazz en artist 0", "en song 0", "something else"),
        ("", "", "Jazz EN Artist 0 - En Song 0 (Remastered 2011)"),
        ("", "", "en song 0 – jazz en artist 0"),  # noqa: RUF001 - a dash as some stations send it
    ],
)
def test_the_song_that_plays_is_found_in_its_title(artist: str, song: str, title: str) -> None:
    (track,) = songs("jazz", 1)
    assert playing_keys(artist, song, title) & identity_keys(track)


@pytest.mark.parametrize(
    "credited", [("Queen", "David Bowie"), ("Queen & David Bowie",), ("Queen, David Bowie",)]
)
@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("Queen, David Bowie", ""),
        ("Queen; David Bowie", ""),
        ("Queen/David Bowie", ""),
        ("", "Queen & David Bowie - Under Pressure (Remastered 2011)"),
        ("", "Queen and David Bowie – Under Pressure"),  # noqa: RUF001 - a dash as some stations send it
        ("", "Under Pressure - Queen x David Bowie"),
    ],
)
def test_a_song_of_several_artists_is_found_however_they_are_joined(
    artist: str, title: str, credited: tuple[str, ...]
) -> None:
    """Regression: a player joined two artists by a comma, and the list offered the song that played."""
    track = Track("Spotify", "Under Pressure", credited, "https://x.example/", "rock")
    assert playing_keys(artist, "Under Pressure" if artist else "", title) & identity_keys(track)
    other = replace(track, artists=("Somebody",))
    assert not playing_keys(artist, "Under Pressure" if artist else "", title) & identity_keys(other)


def test_a_media_player_with_several_artists_names_the_song_of_a_provider() -> None:
    names = ("Earth, Wind & Fire", "The Emotions", "Ludacris")
    playing = clean_song("Boogie Wonderland", names)
    assert playing is not None
    keys = playing_keys(playing.artist, playing.title, "")
    for artists in (names, names[:1], ("The Emotions",), ("Earth, Wind, Fire, The Emotions & Ludacris",)):
        track = Track("Spotify", "Boogie Wonderland", artists, "https://x.example/", "disco")
        assert keys & identity_keys(track), artists


@pytest.mark.parametrize("title", ["", "-", " - ", "News", "Jazz-Radio", "Artist - "])
def test_a_title_without_artist_and_song_is_no_song(title: str) -> None:
    assert playing_keys("", "", title) == frozenset()


def test_an_english_reader_gets_english_songs_and_a_japanese_reader_both() -> None:
    """Regression: whoever read the page, 12 % of the rock songs were English and 28 % Korean."""
    for reader, expected in ((["en"], {"en"}), (["ja"], {"ja", "en"})):
        filters = FilterChoice().filters(automatic_languages([], reader))
        played = play_two_hours("rock", filters)
        assert played.worst == 1
        assert played.repeats == 0
        assert set(played.languages) <= {*expected, INSTRUMENTAL}
        assert set(played.languages) >= expected
        first, _ = Counter(played.first_languages).most_common(1)[0]
        assert first == reader[0], "the language of the reader must come first"
