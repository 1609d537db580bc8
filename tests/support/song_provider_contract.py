"""Contract of ``SongProvider``: checks that every provider has to pass."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.engine.ranking import unmet_filters
from dashboard.recommendations.providers.base import ProviderResult, SongProvider, Status
from tests.support.services.all import Services
from tests.support.waiting import at_most

HANG_SECONDS = 0.4
"""Deadline of searches without a response."""
WAITING_SECONDS = 10.0
"""Deadline of other searches, which a busy machine must meet."""
MARGIN_SECONDS = 1.5
"""Tolerance of deadlines on a busy machine."""

SECRET = re.compile(r"test-client|test-access|AIza|hush")


@dataclass(frozen=True, slots=True)
class ProviderCase:
    """Provider under test.

    Parameters
    ----------
    name : str
        Name of the test case.
    make : callable
        Creates a provider.
    hang : callable
        Makes the provider's service respond to nothing.
    requests : callable
        Counts the requests that the service received.
    is_remote : bool
        False if the provider sends no requests.
    """

    name: str
    make: Callable[[Services], SongProvider]
    hang: Callable[[Services], None]
    requests: Callable[[Services], int]
    is_remote: bool = True


def search(
    provider: SongProvider, services: Services, query: TrackQuery, seconds: float = WAITING_SECONDS
) -> ProviderResult:
    """Search, and check that the result is consistent and came in time."""
    with at_most(max(seconds, 0.0) + MARGIN_SECONDS):
        result = provider.search(query, services.clock.deadline(seconds))
    assert result.tracks if result.status is Status.OK else result.detail, (
        "a result without songs must name a reason"
    )
    assert len(result.detail) < 150
    assert not re.search(r"[{}<>\n]|Error|Exception", result.detail)
    assert not SECRET.search(repr(result))
    assert len(result.tracks) <= query.limit
    return result


def check_filters(case: ProviderCase, provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Songs pass the filters, or the result names the filters that were relaxed.

    A fixed list may have no songs that are new enough.
    """
    result = search(provider, services, query)
    assert result.status is Status.OK or not (case.is_remote or query.range is ReleaseRange.ANY)
    today = services.clock.now().date()
    for track in result.tracks:
        assert track.genre == query.genre
        assert unmet_filters(track, query, today) <= result.relaxed
        assert track.provider == provider.name
        assert track.title
        assert track.url.startswith("https://")
    ranks = [track.rank for track in result.tracks]
    assert ranks == sorted(set(ranks))


def check_pages(provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """No song is on two pages, and a page beyond the last is empty."""
    pages = [search(provider, services, replace(query, limit=2, offset=first)) for first in (0, 2)]
    first, second = ([track.url for track in page.tracks] for page in pages)
    assert len(first) == len(second) == 2
    assert not set(first) & set(second)
    beyond = search(provider, services, replace(query, offset=900))
    assert (beyond.status, beyond.tracks) == (Status.EMPTY, ())


def check_odd_queries(provider: SongProvider, services: Services) -> None:
    """Unknown genres raise no error and find no songs of another genre."""
    for genre in ("polka", 'x" year:1', "\N{SNOWMAN}", ""):
        result = search(provider, services, TrackQuery(genre, "ja"))
        assert {track.genre for track in result.tracks} <= {genre}


def check_hang(case: ProviderCase, provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Simultaneous searches without a response all end in time."""
    case.hang(services)
    expected = Status.TIMEOUT if case.is_remote else Status.OK
    results: list[ProviderResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(search(provider, services, query, HANG_SECONDS)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAITING_SECONDS)
    assert [result.status for result in results] == [expected] * 3


def check_past_deadline(case: ProviderCase, provider: SongProvider, services: Services) -> None:
    """After its deadline a search sends no request."""
    result = search(provider, services, TrackQuery("jazz"), seconds=-1.0)
    assert result.status is (Status.TIMEOUT if case.is_remote else Status.OK)
    assert (result.calls, case.requests(services)) == (0, 0)


def check_cache(case: ProviderCase, provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Results are cached: the second search sends nothing."""
    first = search(provider, services, query)
    assert (first.from_cache, bool(first.calls)) == (False, case.is_remote)
    assert first.calls == case.requests(services)
    second = search(provider, services, query)
    assert (second.tracks, second.calls, second.from_cache) == (first.tracks, 0, case.is_remote)
