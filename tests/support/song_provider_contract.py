"""Contract of ``SongProvider``: checks that every provider has to pass."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.ranking import unmet_filters
from dashboard.recommendations.providers.base import ProviderResult, SongProvider, Status
from tests.support.services.all import Services

HANG_SECONDS = 0.4
"""Deadline of searches that are not answered."""
WAITING_SECONDS = 10.0
"""Deadline of the others: a busy machine must not make a fault of them."""
MARGIN_SECONDS = 1.5
"""Tolerance of deadlines on a busy machine."""

SECRET = re.compile(r"test-client|test-access|AIza|hush")


@dataclass(frozen=True, slots=True)
class ProviderCase:
    """A provider, by what a test has to know of it.

    ``make`` makes one of its own; ``hang`` lets its service answer nothing; ``requests`` counts those that
    arrived there. ``is_remote`` is false of a list that asks nobody.
    """

    name: str
    make: Callable[[Services], SongProvider]
    hang: Callable[[Services], None]
    requests: Callable[[Services], int]
    is_remote: bool = True


def ask(
    provider: SongProvider, services: Services, query: TrackQuery, seconds: float = WAITING_SECONDS
) -> ProviderResult:
    """A result that came in time and is consistent in itself."""
    began = time.monotonic()
    result = provider.search(query, services.clock.deadline(seconds))
    assert time.monotonic() - began < max(seconds, 0.0) + MARGIN_SECONDS
    assert result.tracks if result.status is Status.OK else result.detail, "songs, or why there are none"
    assert len(result.detail) < 150
    assert not re.search(r"[{}<>\n]|Error|Exception", result.detail)
    assert not SECRET.search(repr(result))
    assert len(result.tracks) <= query.limit
    return result


def check_filters(provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Songs are those that were asked for, or the result names the filter that was widened."""
    result = ask(provider, services, query)
    assert result.status is Status.OK
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
    """Pages follow each other without a song twice; the last one is empty."""
    pages = [ask(provider, services, replace(query, limit=2, offset=first)) for first in (0, 2)]
    first, second = ([track.url for track in page.tracks] for page in pages)
    assert len(first) == len(second) == 2
    assert not set(first) & set(second)
    beyond = ask(provider, services, replace(query, offset=900))
    assert (beyond.status, beyond.tracks) == (Status.EMPTY, ())


def check_odd_queries(provider: SongProvider, services: Services) -> None:
    """Genres that nobody knows raise nothing and bring no songs of another genre."""
    for genre in ("polka", 'x" year:1', "\N{SNOWMAN}", ""):
        result = ask(provider, services, TrackQuery(genre, "ja"))
        assert {track.genre for track in result.tracks} <= {genre}


def check_hang(case: ProviderCase, provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Searches at once that are not answered each end in time."""
    case.hang(services)
    expected = Status.TIMEOUT if case.is_remote else Status.OK
    results: list[ProviderResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(ask(provider, services, query, HANG_SECONDS)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAITING_SECONDS)
    assert [result.status for result in results] == [expected] * 3


def check_past_deadline(case: ProviderCase, provider: SongProvider, services: Services) -> None:
    """Nothing is sent after the deadline."""
    result = ask(provider, services, TrackQuery("jazz"), seconds=-1.0)
    assert result.status is (Status.TIMEOUT if case.is_remote else Status.OK)
    assert (result.calls, case.requests(services)) == (0, 0)


def check_memory(case: ProviderCase, provider: SongProvider, services: Services, query: TrackQuery) -> None:
    """Results are cached: the second search sends nothing."""
    first = ask(provider, services, query)
    assert (first.from_cache, bool(first.calls)) == (False, case.is_remote)
    assert first.calls == case.requests(services)
    second = ask(provider, services, query)
    assert (second.tracks, second.calls, second.from_cache) == (first.tracks, 0, case.is_remote)
