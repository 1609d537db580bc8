"""Bundled catalog as a provider."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import INSTRUMENTAL, ReleaseRange, Track, TrackQuery
from dashboard.recommendations.providers.base import ProviderResult, SongProvider, Status
from dashboard.recommendations.providers.catalog import songs as catalog
from dashboard.recommendations.providers.catalog.provider import NAME, CatalogProvider
from dashboard.recommendations.providers.catalog.songs import Song
from tests.support.genres import GENRES

ALL = 1000


class FixedClock:
    def __init__(self, year: int = 2025) -> None:
        self.year = year

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return datetime(self.year, 6, 1, tzinfo=UTC)


def search(query: TrackQuery, year: int = 2025, songs: tuple[Song, ...] | None = None) -> ProviderResult:
    provider: SongProvider = CatalogProvider(FixedClock(year), songs, seed=1)
    return provider.search(query, deadline=0.0)


def names(result: ProviderResult) -> list[tuple[str, str]]:
    return [(track.artists[0], track.title) for track in result.tracks]


def faults_of(genre: str, language: str, range_: ReleaseRange) -> list[str]:
    """Return the differences between a result of the provider and the songs of the catalog."""
    cell = [song for song in catalog.load() if (song.genre, song.language) == (genre, language)]
    first, last = range_.years or {"year": (2024, 2025), "any": (0, 9999)}.get(range_, (0, 0))
    expected = [song for song in cell if first <= song.year <= last]
    result = search(TrackQuery(genre, language, range_, limit=ALL))
    faults = []
    if sorted(names(result)) != sorted((song.artist, song.title) for song in expected):
        faults.append(f"{len(result.tracks)} songs instead of {len(expected)}, or others")
    if not {(track.genre, track.language) for track in result.tracks} <= {(genre, language)}:
        faults.append("songs of another genre or language")
    status = Status.OK if expected else Status.EMPTY
    if (result.status, result.relaxed, bool(result.detail)) != (status, frozenset(), not expected):
        faults.append(f"{result.status}, {result.relaxed}, {result.detail!r} instead of {status}")
    if not expected and f"has no {genre} songs in {LANGUAGES[language].name}" not in result.detail:
        faults.append(f"no songs, and the detail is {result.detail!r}")
    return faults


@pytest.mark.parametrize("range_", list(ReleaseRange))
def test_each_filter_selects_exactly_its_songs(range_: ReleaseRange) -> None:
    found = {
        (genre, language): faults_of(genre, language, range_) for genre in GENRES for language in LANGUAGES
    }
    assert {cell: faults for cell, faults in found.items() if faults} == {}


@pytest.mark.parametrize("genre", GENRES)
def test_without_a_language_all_songs_of_the_genre_come(genre: str) -> None:
    everything = search(TrackQuery(genre, limit=ALL))
    assert len(everything.tracks) == sum(song.genre == genre for song in catalog.load())
    per_language = [search(TrackQuery(genre, language, limit=ALL)) for language in LANGUAGES]
    sung = [name for result in per_language for name in names(result)]
    assert len(sung) == len(set(sung)), "a song came in two languages"
    unsung = {(t.artists[0], t.title) for t in everything.tracks if t.language == INSTRUMENTAL}
    assert set(names(search(TrackQuery(genre, INSTRUMENTAL, limit=ALL)))) == unsung
    assert set(sung) | unsung == set(names(everything))
    assert bool(unsung) == (genre in {"classical", "jazz"})


def test_some_songs_are_recent_enough_for_a_year() -> None:
    found = search(TrackQuery("pop", "en", ReleaseRange.YEAR, limit=ALL))
    assert found.relaxed == frozenset()
    assert {track.published for track in found.tracks} == {date(2024, 1, 1), date(2025, 1, 1)}


@pytest.mark.parametrize(
    ("year", "titles"), [(2000, {"1999", "2000"}), (2001, {"2000"}), (2002, set()), (1970, set())]
)
def test_a_year_is_this_calendar_year_or_the_last(year: int, titles: set[str]) -> None:
    """A wrong clock must not make all songs recent."""
    songs = tuple(Song("a", str(n), n, "rock", "en") for n in (1999, 2000, 2010))
    result = search(TrackQuery("rock", "en", ReleaseRange.YEAR), year, songs)
    assert {track.title for track in result.tracks} == titles
    assert result.detail == ("" if titles else "has no rock songs in English of the last year")


@pytest.mark.parametrize("range_", [ReleaseRange.WEEK, ReleaseRange.MONTH])
def test_a_fixed_list_reports_that_it_has_no_songs_of_the_last_days(range_: ReleaseRange) -> None:
    result = search(TrackQuery("pop", "ko", range_))
    assert (result.tracks, result.status) == ((), Status.EMPTY)
    assert result.detail == f"has no pop songs in Korean of the last {range_.value}"


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    provider = CatalogProvider(FixedClock(), seed=3)
    whole = provider.search(TrackQuery("rock", limit=ALL), 0.0)
    starts = range(0, len(whole.tracks), 7)
    pages = [provider.search(TrackQuery("rock", limit=7, offset=first), 0.0) for first in starts]
    assert [track for page in pages for track in page.tracks] == list(whole.tracks)
    assert [track.rank for track in whole.tracks] == list(range(len(whole.tracks)))
    beyond = provider.search(TrackQuery("rock", "ja", limit=7, offset=ALL), 0.0)
    assert (beyond.tracks, beyond.status) == ((), Status.EMPTY)
    assert beyond.detail == "has no further rock songs in Japanese"


def test_the_order_is_stable_and_differs_between_seeds() -> None:
    def order(seed: int) -> list[tuple[str, str]]:
        return names(CatalogProvider(FixedClock(), seed=seed).search(TrackQuery("jazz", limit=ALL), 0.0))

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert sorted(order(1)) == sorted(order(2))


def test_a_track_has_exactly_the_known_fields() -> None:
    songs = (
        Song("滝廉太郎", "荒城の月", 1901, "classical", "ja", "Rentaro Taki", "Kojo no Tsuki"),
        Song("Maurice Ravel", "Boléro", 1928, "classical", ""),
    )
    sung, unsung = (
        search(TrackQuery("classical", language), songs=part).tracks[0]
        for language, part in (("ja", songs), (None, songs[1:]))
    )
    assert sung == Track(
        provider="Overheard's own list",
        title="荒城の月",
        artists=("滝廉太郎",),
        url=sung.spotify_search,
        genre="classical",
        language="ja",
        language_source="provider",
        published=date(1901, 1, 1),
        precision="year",
        romanized="Kojo no Tsuki - Rentaro Taki",
    )
    assert (unsung.language, unsung.language_source, unsung.romanized) == (INSTRUMENTAL, "provider", "")


def test_links_are_searches_on_both_services() -> None:
    known = {(song.artist, song.title): song for song in catalog.load()}
    for genre in GENRES:
        for track in search(TrackQuery(genre, limit=ALL)).tracks:
            song = known[track.artists[0], track.title]
            words = f"{song.artist} {song.title}"
            assert track.url == track.spotify_search
            assert unquote(urlsplit(track.url).path) == f"/search/{words}"
            assert parse_qs(urlsplit(track.youtube_search).query) == {"search_query": [words]}


def test_the_provider_sends_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the bundled list opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    provider = CatalogProvider(FixedClock())
    assert provider.name == NAME
    unknown = provider.search(TrackQuery("polka", "ja", ReleaseRange.WEEK), deadline=-1.0)
    assert (unknown.status, unknown.tracks, unknown.calls) == (Status.EMPTY, (), 0)
    assert unknown.detail == "has no polka songs in Japanese of the last week"
    assert provider.search(TrackQuery("pop"), deadline=-1.0).calls == 0
    nothing = CatalogProvider(FixedClock(), songs=()).search(TrackQuery("pop"), 0.0)
    assert nothing.status is Status.EMPTY
