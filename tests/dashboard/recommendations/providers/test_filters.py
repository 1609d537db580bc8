"""5 languages, 4 ranges, 10 genres: 200 lists of each provider, each of what was asked for, no two the same.

``pytest -s`` prints the figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import LIVE_RANGES, Relaxed, ReleaseRange, TrackQuery
from dashboard.recommendations.engine.ranking import unmet_filters
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.catalog.provider import NAME
from dashboard.recommendations.providers.registry import ProviderGroup, build_providers
from models.manifest import ModelManifest
from tests.support.services.all import Services, running
from tests.support.services.faulty_http import MovableClock
from tests.support.services.spotify_searches import SEARCH

RANGES = (*LIVE_RANGES, ReleaseRange.ANY)
LIVE = list(product(ModelManifest.load().labels, LANGUAGES, RANGES))
BUNDLED = list(product(ModelManifest.load().labels, LANGUAGES, ReleaseRange))
SPOTIFY_AGES = {ReleaseRange.WEEK: 2, ReleaseRange.MONTH: 4, ReleaseRange.YEAR: 7, ReleaseRange.ANY: 8}
"""Songs of the fake service of each range. The eighth has a year only."""

Lists = dict[tuple[str, str, ReleaseRange], tuple[str, ...]]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as started:
        started.environment["ITUNES_SEARCH"] = "1"
        yield started


def links(result: ProviderResult) -> tuple[str, ...]:
    return tuple(track.url for track in result.tracks)


def test_every_filter_changes_the_list_of_every_live_provider(services: Services) -> None:
    began = time.monotonic()
    today, providers = services.clock.now().date(), services.providers()
    names = ("Spotify", "YouTube", "iTunes")
    assert providers.names == (*names, NAME)
    lists: dict[str, Lists] = {name: {} for name in names}
    requests = songs = beside = 0
    for genre, language, span in LIVE:
        if (language, span) == ("en", ReleaseRange.WEEK):  # a day of YouTube's has 100 searches
            (services.data_folder / "youtube-budget.sqlite").unlink(missing_ok=True)
            services.youtube.used = 0
        query = TrackQuery(genre, language, span, limit=200)
        answer = providers.search(query, seconds=10)
        requests += answer.calls
        for name in names:
            result = answer.results[name]
            assert result.status is Status.OK, (name, query, result.detail)
            assert {track.genre for track in result.tracks} == {genre}
            songs += len(result.tracks)
            beside += sum(bool(unmet_filters(track, query, today)) for track in result.tracks)
            lists[name][genre, language, span] = links(result)
        videos = [services.youtube.of(track.provider_id) for track in answer.results["YouTube"].tracks]
        assert {video.genre for video in videos} == {genre}
        assert len(answer.results["Spotify"].tracks) == SPOTIFY_AGES[span]
        by_keywords = {Relaxed.GENRE} if genre == "country" else set()
        assert answer.results["Spotify"].relaxed == by_keywords
        assert {track.provider for track in answer.tracks[:3]} == set(names), (
            "in turns, the bundled list last"
        )
    for name, (genre, language) in product(names, product(ModelManifest.load().labels, LANGUAGES)):
        week, month, year, ever = (set(lists[name][genre, language, span]) for span in RANGES)
        assert week < month < year < ever
    distinct = {name: len(set(map(frozenset, lists[name].values()))) for name in names}
    limits = [int(each.values["limit"]) for each in services.spotify.requests if each.path == SEARCH]
    print(
        f"\nlive: {len(LIVE)} combinations, {requests} requests, {songs} songs, {beside} beside the filters, "
        f"distinct lists {distinct}, {time.monotonic() - began:.1f} s"
    )
    assert set(distinct.values()) == {200}
    assert (beside, max(limits)) == (0, 10)


def test_the_bundled_list_keeps_every_filter(tmp_path: Path) -> None:
    """A fixed list knows no song of the last week or month, and says so."""
    clock = MovableClock()
    today = clock.now().date()
    providers: ProviderGroup = build_providers(clock, {}, folder=tmp_path, seed=1)
    lists: Lists = {}
    for genre, language, span in BUNDLED:
        query = TrackQuery(genre, language, span, limit=100)
        answer = providers.search(query)
        assert not {kind for track in answer.tracks for kind in unmet_filters(track, query, today)}, query
        assert {track.genre for track in answer.tracks} <= {genre}
        assert bool(answer.messages) == (not answer.tracks), "a missing song needs a sentence"
        lists[genre, language, span] = tuple(track.url for track in answer.tracks)
    of_any_age = {songs for (_, _, span), songs in lists.items() if span is ReleaseRange.ANY}
    years = sum(bool(songs) for (_, _, span), songs in lists.items() if span is ReleaseRange.YEAR)
    print(
        f"\nbundled: {len(BUNDLED)} combinations, {sum(map(len, lists.values()))} songs, {len(of_any_age)} "
        f"distinct lists of genre and language, {years} of 50 with songs of the last year"
    )
    assert len(of_any_age) >= 49, "at most one cell may hold no song"
    assert not any(lists[key] for key in lists if key[2] in (ReleaseRange.WEEK, ReleaseRange.MONTH))
