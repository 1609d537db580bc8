"""Lifetime and size of the result cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.providers.cache import (
    MAX_RESULTS,
    TTL_SECONDS,
    WEEK_TTL_SECONDS,
    ResultCache,
)
from tests.support.services.faulty_http import MovableClock

QUERY = TrackQuery("jazz")


@pytest.mark.parametrize(
    ("span", "seconds"), [(ReleaseRange.WEEK, WEEK_TTL_SECONDS), (ReleaseRange.ANY, TTL_SECONDS)]
)
def test_a_result_has_its_life_since_it_came_and_not_since_it_was_asked_for(
    span: ReleaseRange, seconds: float
) -> None:
    clock = MovableClock()
    cache, query = ResultCache[str](clock), replace(QUERY, range=span)
    cache.put(query, "songs")
    clock.move(seconds - 30)
    assert cache.get(query) == cache.get(replace(query, limit=7, offset=20)) == "songs"
    clock.move(60)
    assert cache.get(query) is None


def test_the_least_recently_used_result_is_dropped_first() -> None:
    cache = ResultCache[int](MovableClock())
    cache.put(QUERY, 1)
    for number in range(MAX_RESULTS):
        cache.put(TrackQuery(f"genre {number}"), number)
        assert cache.get(QUERY) == 1
    assert cache.get(TrackQuery("genre 0")) is None
    assert cache.get(TrackQuery("genre 1")) == 1
