"""Song list of one page over real HTTP: searches, their order, and what is cached."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.recommendations.domain.tracks import Relaxed, ReleaseRange, Track, TrackQuery
from dashboard.recommendations.engine.playlist import Filters, Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.background import Pending
from dashboard.recommendations.providers.base import Status
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from dashboard.recommendations.providers.catalog.songs import load
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.registry import (
    CombinedResult,
    ProviderGroup,
    WallClock,
    build_providers,
)
from dashboard.recommendations.providers.spotify.page_cache import CACHE_SECONDS
from dashboard.recommendations.service import MAX_WAIT_SECONDS, RecommendationService
from tests.support.services.all import Services, finish_searches, minute_of, running
from tests.support.services.faulty_http import MovableClock
from tests.support.services.spotify import song
from tests.support.services.spotify_searches import SEARCH
from tests.support.waiting import at_most

JAZZ_SONGS = 130


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as started:
        yield started


def test_songs_match_the_music_and_come_only_after_it(services: Services) -> None:
    service = services.recommendations()
    assert not service.update(minute_of("jazz")[:20], Filters()).items
    service.update(minute_of("jazz")[20:], Filters())
    playlist = finish_searches(service)
    assert {row.genre for row in playlist.items} == {"jazz"}
    assert (
        len({row.key for row in playlist.items})
        == len(playlist.items)
        == service.rolling_playlist.settings.size
    )
    assert service.calls >= 3
    first = playlist.items[0]
    service.apply("ban", first.key)
    assert first.key not in {row.key for row in service.rolling_playlist.current.items}
    liked = service.rolling_playlist.current.items[0].key
    service.apply("like", liked)
    service.apply("nothing of the kind", liked)
    service.apply("skip", "a song that is not there")
    assert service.rolling_playlist.current.items[0].liked
    service.apply("like", liked)
    assert not service.rolling_playlist.current.items[0].liked


def test_all_genres_of_a_mix_are_searched_in_a_row(services: Services) -> None:
    """Regression: one search runs at a time, and those of the other genres came a minute later."""
    service = services.recommendations()
    began = services.clock.monotonic()
    service.update(minute_of("jazz", "rock", "blues"), Filters())
    playlist = finish_searches(service)
    assert services.clock.monotonic() - began < 20
    assert {row.genre for row in playlist.items} == {"jazz", "rock", "blues"}


def test_a_search_that_fails_does_not_stop_the_service(services: Services) -> None:
    class Broken(ProviderGroup):
        def start(self, query: TrackQuery, seconds: float = 4.0, *, for_person: bool = False) -> Any:
            raise ZeroDivisionError("oops")

    service = RecommendationService(
        Broken([], services.providers()._bundled, services.clock), RollingPlaylist(), services.clock
    )
    service.update(minute_of("jazz"), Filters())
    assert finish_searches(service).items == ()


def bundled_only(folder: Path) -> RecommendationService:
    clock = MovableClock()
    providers = build_providers(clock, {}, folder=folder, seed=1)
    return RecommendationService(providers, RollingPlaylist(), clock)


@pytest.mark.parametrize(
    ("filters", "description"),
    [
        (Filters("ja", ReleaseRange.MONTH), "of this language and age (Japanese, Last month)"),
        (Filters(None, ReleaseRange.MONTH), "of this age (Last month)"),
    ],
)
def test_missing_songs_are_counted_in_one_update_and_not_replaced(
    tmp_path: Path, filters: Filters, description: str
) -> None:
    """Regression: a filter that no song passed brought songs of any age and language."""
    service = bundled_only(tmp_path)
    genres = ("metal", "country", "pop")
    assert len(service.update(minute_of(*genres), Filters()).items) == 10
    playlist = service.update([], filters)
    assert playlist.items == ()
    assert [str(note) for note in playlist.notes] == [
        f"country, metal, pop: no songs {description} were found."
    ]
    known = [song for song in load() if song.genre in genres and filters.language in (None, song.language)]
    assert playlist.beyond == {Relaxed.RANGE: len(known)}
    included = service.update([], replace(filters, included=frozenset({Relaxed.RANGE})))
    assert {row.relaxed for row in included.items} == {frozenset({Relaxed.RANGE})}
    assert {row.track.language for row in included.items} & {filters.language, "en"}
    assert len(included.items) == 10


def test_a_provider_with_songs_is_not_reported_as_empty(tmp_path: Path) -> None:
    """Regression: an empty further page turned the report into "knows no such songs"."""
    service = bundled_only(tmp_path)
    service.update(minute_of("metal"), Filters())
    for _ in range(4):
        service.rolling_playlist.request_refresh()
        assert len(service.update([], Filters()).items) == 10
        finish_searches(service)
    (report,) = service.reports.values()
    assert report is not None
    assert (report.result.status, report.songs > 30) == (Status.OK, True)


def test_a_report_counts_the_songs_of_all_languages(tmp_path: Path) -> None:
    """Regression: the result for the last language replaced those for the others, faults included."""
    service = bundled_only(tmp_path)
    service.update(minute_of("metal"), Filters("ja", beside=("ko",)))
    finish_searches(service)
    (report,) = service.reports.values()
    assert report is not None
    assert report.songs == sum(song.genre == "metal" and song.language in ("ja", "ko") for song in load())


def test_older_songs_are_included_in_each_language() -> None:
    """Regression: only the first language was searched for the songs that the user included."""
    filters = Filters("ja", ReleaseRange.MONTH, beside=("en",), included=frozenset({Relaxed.RANGE}))
    queries = filters.wider_queries("metal", 50)
    assert queries == (TrackQuery("metal", "ja", limit=50), TrackQuery("metal", "en", limit=50))
    both = replace(filters, included=frozenset(Relaxed))
    assert both.wider_queries("metal", 50) == (TrackQuery("metal", limit=50),)
    assert Filters("ja").wider_queries("metal") == ()


def test_an_update_does_not_wait_for_a_provider_that_does_not_respond(tmp_path: Path) -> None:
    clock = WallClock()
    unanswered: Future[None] = Future()

    class Silent(ProviderGroup):
        def start(
            self, query: TrackQuery, seconds: float = 4.0, *, for_person: bool = False
        ) -> Pending[CombinedResult]:
            deadline = clock.monotonic() + 20
            return Pending([unanswered], deadline, clock, lambda: CombinedResult((), {}, frozenset()))

    service = RecommendationService(Silent([], CatalogProvider(clock), clock), RollingPlaylist(), clock)
    with at_most(MAX_WAIT_SECONDS + 3):
        playlist = service.update(minute_of("jazz"), Filters())
    assert not unanswered.done()
    assert [str(note) for note in playlist.notes] == ["Looking for more songs: jazz."]
    unanswered.set_result(None)
    finish_searches(service)


def use_up_quota(services: Services, all_but: int) -> None:
    """Use up the day's YouTube searches except for ``all_but``."""
    budget = DailyQuota(services.data_folder / "youtube-budget.sqlite", services.clock)
    while budget.left > all_but:
        budget.take()


def youtube_detail(service: RecommendationService) -> str:
    report = service.reports["YouTube"]
    return "" if report is None else report.result.detail


def test_the_last_searches_of_a_day_are_reserved_for_clicks(services: Services) -> None:
    use_up_quota(services, all_but=10)
    service = services.recommendations()
    service.update(minute_of("jazz"), Filters())
    finish_searches(service)
    assert services.youtube.paths() == [], "a search was used without a click"
    assert "are reserved for your clicks" in youtube_detail(service)
    service.update(minute_of("rock", start=60), Filters())
    services.clock.move(120)
    service.update(minute_of("rock", start=120), Filters())
    finish_searches(service)
    assert service.rolling_playlist.refresh_reason is Reason.SHIFT
    assert services.youtube.paths() == [], "a change of the music is no click"
    filters = Filters("ja", ReleaseRange.YEAR)
    service.update([], filters)
    playlist = finish_searches(service, filters)
    assert services.youtube.paths().count("search") in (1, 2), "one for each genre of the list"
    assert "YouTube" in {row.track.provider for row in playlist.items}
    assert "reserved for your clicks" not in youtube_detail(service)


def test_a_change_of_the_languages_by_titles_is_no_click(services: Services) -> None:
    """Regression: titles in other languages spent the searches that are reserved for clicks."""
    use_up_quota(services, all_but=10)
    service = services.recommendations()
    service.update(minute_of("jazz"), Filters())
    finish_searches(service)
    filters = Filters("ja", ReleaseRange.YEAR)
    service.update([], filters, by_titles=True)
    finish_searches(service, filters)
    assert service.rolling_playlist.refresh_reason is Reason.FILTERS
    assert services.youtube.paths() == []


def test_the_refresh_button_may_use_reserved_searches(services: Services) -> None:
    """The refused songs then come, from the first page on."""
    use_up_quota(services, all_but=10)
    service = services.recommendations()
    service.update(minute_of("jazz"), Filters())
    finish_searches(service)
    for _ in range(12):
        service.rolling_playlist.request_refresh()
        service.update([], Filters())
        playlist = finish_searches(service)
        if services.youtube.asked:
            break
    assert services.youtube.paths() == ["search", "videos"]
    service.rolling_playlist.request_refresh()
    service.update([], Filters())
    assert "YouTube" in {row.track.provider for row in (*playlist.items, *finish_searches(service).items)}


def test_songs_of_spotify_are_kept_for_an_hour_and_its_pages_go_on(services: Services) -> None:
    """The terms of Spotify allow one hour.

    Regression: after the hour, the service requested all pages from the first one again, stopped after ten
    pages, and took a pool that still had songs for exhausted.
    """
    today = services.clock.now().date()
    services.spotify.rows = [
        song(number, "jazz", "en", f"Artist {number}", today - timedelta(number % 300))
        for number in range(JAZZ_SONGS)
    ]
    for row in services.spotify.rows:
        row["_genres"] = ["jazz"]
    del services.environment["YOUTUBE_API_KEY"]
    service = services.recommendations()
    service.update(minute_of("jazz"), Filters())
    finish_searches(service)
    stored = service._pools["jazz"]
    offered = {row.key for row in service.rolling_playlist.current.items}
    assert sum(track.provider == "Spotify" for track in stored) == 50
    services.clock.move(CACHE_SECONDS)
    shown = finish_searches(service).items
    assert {row.key for row in shown} <= offered, "listed songs must stay"
    offsets = [int(each.values["offset"]) for each in services.spotify.requests if each.path == SEARCH]
    assert offsets == [*range(0, 50, 10), *range(50, 100, 10)], "a page was requested twice"
    stored = [track for track in service._pools["jazz"] if track.provider == "Spotify"]
    assert [int(track.provider_id) for track in stored] == list(range(50, 100))
    seen: set[str] = set()
    for _ in range(20):
        service.rolling_playlist.request_refresh()
        seen |= {row.track.provider_id for row in finish_searches(service).items}
    assert {str(number).zfill(22) for number in range(100, JAZZ_SONGS)} <= seen, (
        "the last songs were never shown"
    )


def test_an_exhausted_pool_is_searched_again_if_unseen_songs_have_expired(services: Services) -> None:
    del services.environment["YOUTUBE_API_KEY"]
    today = services.clock.now().date()
    services.spotify.rows = [song(n, "jazz", "ja", f"ゆらぎ灯 {n}", today) for n in range(20)]
    filters = Filters("ja", ReleaseRange.WEEK)
    service = services.recommendations()
    service.update(minute_of("jazz"), filters)
    first = {row.key for row in finish_searches(service, filters).items}
    services.clock.move(CACHE_SECONDS)
    service.rolling_playlist.request_refresh()
    finish_searches(service, filters)
    services.clock.move(61)
    finish_searches(service, filters)
    service.rolling_playlist.request_refresh()
    second = {
        row.track.provider_id for row in finish_searches(service, filters).items if row.key not in first
    }
    assert len(second) == 10


@pytest.mark.parametrize("gap", [0.0, CACHE_SECONDS])
def test_a_page_position_at_spotify_outlives_the_songs(services: Services, gap: float) -> None:
    """Slices requested at once or an hour apart give the same songs without starting from the first page."""
    today = services.clock.now().date()
    services.spotify.rows = [song(n, "jazz", "ja", "ゆらぎ灯", today) for n in range(230)]
    provider = services.providers()._live[0]
    identifiers: list[int] = []
    for offset in range(0, 250, 50):
        query = TrackQuery("jazz", "ja", limit=50, offset=offset)
        result = provider.search(query, services.clock.deadline())
        assert result.status is Status.OK
        assert result.calls <= 6
        identifiers += [int(track.provider_id) for track in result.tracks]
        assert [track.rank for track in result.tracks][:1] == [offset]
        services.clock.move(gap)
    assert identifiers == list(range(230))
    assert provider.search(TrackQuery("jazz", "ja", offset=250), services.clock.deadline()).calls == 0
    newcomer = provider.search(TrackQuery("jazz", "ja", limit=50), services.clock.deadline())
    assert [int(track.provider_id) for track in newcomer.tracks] == list(range(50)), (
        "another page must start from the first songs"
    )


def test_songs_that_were_replaced_one_by_one_are_not_offered() -> None:
    """Regression: the candidates were found again only if the number of songs had changed."""

    def songs(kind: str) -> list[Track]:
        return [
            Track("Spotify", f"{kind} {n}", (f"{kind} artist {n}",), "https://x.example/", "jazz")
            for n in range(40)
        ]

    session, pools, today = RollingPlaylist(), {"jazz": songs("old")}, date(2026, 3, 1)
    for each in minute_of("jazz"):
        session.add_estimate(each.at, each.estimate.probabilities, each.estimate.state)
    session.update(pools, 60.0, today)
    pools["jazz"] = songs("new")
    session.request_refresh()
    titles = [row.track.title for row in session.update(pools, 61.0, today).items]
    assert [title for title in titles if title.startswith("old")] == []
