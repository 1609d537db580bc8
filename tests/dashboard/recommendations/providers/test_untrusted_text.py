"""Untrusted titles and names, from the HTTP response to the browser."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.cli.recommend import format_track
from dashboard.recommendations.domain.text import MAX_NAME_CHARACTERS
from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.playlist import Playlist, PlaylistItem
from dashboard.recommendations.providers.registry import CombinedResult
from dashboard.recommendations.providers.spotify.parsing import MAX_ARTISTS
from tests.support.services.all import Services, page_data, running
from tests.support.services.faulty_http import EVERYWHERE
from tests.support.services.itunes import row
from tests.support.services.spotify import song
from tests.support.services.youtube import Video

NAMES = {
    "markup": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "an attribute": ("\"><img src=x onerror='alert(1)'>", "\"><img src=x onerror='alert(1)'>"),
    "an entity": ("Rock &amp; Roll &#8238;", "Rock &amp; Roll &#8238;"),
    "emoji": ("\U0001f525\U0001f469\u200d\U0001f680", "\U0001f525\U0001f469\u200d\U0001f680"),
    "right to left": ("\u05e9\u05d9\u05e8 (Live)", "\u05e9\u05d9\u05e8 (Live)"),
    "override": ("abc\u202egpj.exe\u202c", "abc gpj.exe"),
    "isolates": ("\u2066abc\u2067def", "abc def"),
    "controls": ("a\x00b\x1b[2Jc\x07\x85d\x9b1m", "a b [2Jc d 1m"),
    "many lines": ("one\r\ntwo\tthree\u2028four\u2029five", "one two three four five"),
    "half a sign": ("half \ud83d and \udd25", "half ? and ?"),
    "500 letters": ("x" * 500, "x" * (MAX_NAME_CHARACTERS - 1) + "\N{HORIZONTAL ELLIPSIS}"),
    "500 marks": (
        "Z" + "\u0301" * 499,
        "Z" + "\u0301" * (MAX_NAME_CHARACTERS - 2) + "\N{HORIZONTAL ELLIPSIS}",
    ),
    "100000 letters": ("y" * 100_000, "y" * (MAX_NAME_CHARACTERS - 1) + "\N{HORIZONTAL ELLIPSIS}"),
}
"""Texts that are sent, and their cleaned form."""

EMPTY = ("", "   ", "\x00\x1b", "\u202e", "\u200b\ufeff", "\t\n")
"""Texts without which a row is not a song."""

BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder: Path = tmp_path_factory.mktemp("services")
    with running(folder) as started:
        started.environment["ITUNES_SEARCH"] = "1"
        yield started


def answer_with(services: Services, name: str) -> CombinedResult:
    """Let each provider return one song with this text as title, artist and album."""
    now = services.clock.now()
    of_spotify = song(1, "jazz", "en", name, now.date(), title="x")
    of_spotify["name"] = of_spotify["album"]["name"] = name
    of_spotify["artists"] *= MAX_ARTISTS + 5
    del of_spotify["_genres"]
    services.spotify.rows = [of_spotify]
    services.youtube.videos = [Video("abcdefghijk", name, name, "jazz", "en", now - timedelta(days=1))]
    of_itunes = row("US", name, "Jazz", now - timedelta(days=1), 7)
    of_itunes |= {"artistName": name, "collectionName": name}
    services.itunes.faults[EVERYWHERE] = json.dumps({"results": [of_itunes]})
    return services.providers().search(TrackQuery("jazz", limit=3))


def check(text: str) -> None:
    assert text.strip()
    assert not BIDI & set(text)
    assert not [sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_reaches_the_page_as_harmless_text(services: Services, kind: str) -> None:
    sent, expected = NAMES[kind]
    answer = answer_with(services, sent)
    live = [track for track in answer.tracks if track.provider in ("Spotify", "YouTube", "iTunes")]
    assert sorted(track.provider for track in live) == ["Spotify", "YouTube", "iTunes"], answer.messages
    assert {track.title for track in live} == {expected}
    assert {name for track in live for name in track.artists} == {expected}
    assert all(len(track.artists) <= MAX_ARTISTS for track in live)
    assert {track.album for track in live} == {"", expected}
    rows = tuple(PlaylistItem(track, "jazz", ()) for track in live)
    data = page_data(Playlist(items=rows, number=1, mix={"jazz": 1.0}), {}, services.clock)
    assert json.loads(json.dumps(data)) == data
    json.dumps(data, ensure_ascii=False).encode()  # as the socket sends it; half a sign would raise
    for shown in data["songs"]:
        check(shown["title"])
        check(shown["artist"])
        assert len(shown["title"]) <= MAX_NAME_CHARACTERS
        assert len(shown["artist"]) <= MAX_ARTISTS * (MAX_NAME_CHARACTERS + 2)
        for address in (link["address"] for link in shown["links"]):
            assert address.startswith("https://")
            assert address.isascii()
    for track in live:
        for part in format_track(track, with_links=False).split("\n", 1):
            check(part)


@pytest.mark.parametrize("name", EMPTY)
def test_a_name_that_shows_nothing_makes_no_song(services: Services, name: str) -> None:
    assert {track.provider for track in answer_with(services, name).tracks} == {"Overheard's own list"}
