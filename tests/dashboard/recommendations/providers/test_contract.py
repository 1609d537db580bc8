"""Contract of ``SongProvider``, checked for every provider. A new one is one more case."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.providers.background import BackgroundProvider
from dashboard.recommendations.providers.base import SongProvider, Status
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.itunes import ITunesProvider
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from tests.support.services.all import Services, running
from tests.support.services.faulty_http import EVERYWHERE
from tests.support.services.spotify import HTML, Fault
from tests.support.services.spotify_searches import CLIENT_ID, CLIENT_SECRET, SEARCH, TOKEN
from tests.support.services.youtube import GOOD_KEY
from tests.support.song_provider_contract import (
    ProviderCase,
    check_cache,
    check_filters,
    check_hang,
    check_odd_queries,
    check_pages,
    check_past_deadline,
    search,
)

DRIP = Fault(200, HTML, manner="drip headers")
"""A byte of the header now and then, which no timeout of a socket ends."""

QUERIES = [
    TrackQuery("jazz", "ja"),
    TrackQuery("pop", "ko", ReleaseRange.MONTH),
    TrackQuery("rock", "ru", ReleaseRange.YEAR, limit=3),
    TrackQuery("metal", "zh", ReleaseRange.WEEK),
    TrackQuery("hiphop", "en", limit=200),
    TrackQuery("blues"),
]


def spotify(services: Services, address: str = "") -> BackgroundProvider:
    base = address or services.spotify.address
    provider = SpotifyProvider(
        CLIENT_ID, CLIENT_SECRET, services.clock, base_url=base, token_url=base + TOKEN
    )
    return BackgroundProvider(provider, services.clock)


def youtube(services: Services, address: str = "") -> BackgroundProvider:
    quota = DailyQuota(services.data_folder / "quota.sqlite", services.clock)
    provider = YouTubeProvider(GOOD_KEY, services.clock, quota, base_url=address or services.youtube.url)
    return BackgroundProvider(provider, services.clock)


def itunes(services: Services, address: str = "") -> BackgroundProvider:
    provider = ITunesProvider(services.clock, base_url=address or services.itunes.url)
    return BackgroundProvider(provider, services.clock)


def catalog(services: Services) -> SongProvider:
    return CatalogProvider(services.clock, seed=1)


CASES = [
    ProviderCase(
        "Spotify", spotify, lambda services: services.spotify.faults.update({SEARCH: DRIP}),
        lambda services: len(services.spotify.requests),
    ),
    ProviderCase(
        "YouTube", youtube, lambda services: services.youtube.faults.update({EVERYWHERE: "header drip"}),
        lambda services: len(services.youtube.asked),
    ),
    ProviderCase(
        "iTunes", itunes, lambda services: services.itunes.faults.update({EVERYWHERE: "header drip"}),
        lambda services: len(services.itunes.asked),
    ),
    ProviderCase(
        "Overheard's own list", catalog, lambda services: None, lambda services: 0, is_remote=False,
    ),
]  # fmt: skip

each_provider = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as started:
        started.data_folder.mkdir()
        yield started


@each_provider
def test_filters_are_honored(case: ProviderCase, services: Services) -> None:
    provider = case.make(services)
    assert provider.name == case.name
    for query in QUERIES:
        check_filters(case, provider, services, query)


@each_provider
def test_pages_follow_each_other(case: ProviderCase, services: Services) -> None:
    check_pages(case.make(services), services, TrackQuery("rock", "ja"))


@each_provider
def test_odd_queries_raise_nothing(case: ProviderCase, services: Services) -> None:
    check_odd_queries(case.make(services), services)


@each_provider
def test_what_hangs_ends_in_time(case: ProviderCase, services: Services) -> None:
    check_hang(case, case.make(services), services, TrackQuery("pop", "ja"))


@each_provider
def test_nothing_is_sent_after_the_deadline(case: ProviderCase, services: Services) -> None:
    check_past_deadline(case, case.make(services), services)


@each_provider
def test_what_was_found_is_remembered(case: ProviderCase, services: Services) -> None:
    check_cache(case, case.make(services), services, TrackQuery("reggae", "en"))


@pytest.mark.parametrize("make", [spotify, youtube, itunes])
def test_a_refused_connection_is_a_status(
    make: Callable[[Services, str], SongProvider], services: Services
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    result = search(make(services, address), services, TrackQuery("jazz"))
    assert (result.status, result.tracks) == (Status.UNREACHABLE, ())
