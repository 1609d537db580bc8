"""Background searches: results in time for any provider, with one thread each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.providers.background import (
    HANGING,
    LATE,
    MAX_ABANDONED,
    BackgroundProvider,
    Pending,
    ready,
)
from dashboard.recommendations.providers.base import Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.cache import SingleFlight
from tests.support.services.all import running
from tests.support.services.faulty_http import EVERYWHERE, MovableClock
from tests.support.services.spotify import HTML, Fault
from tests.support.services.spotify_searches import SEARCH
from tests.support.waiting import wait_until

QUERY = TrackQuery("jazz")
TRACK = Track("Slow", "Lantern", ("Marlow",), "https://example.org/", "jazz")
PATIENCE_SECONDS = 20.0


class Slow:
    """A provider that waits for an event after it has found a song."""

    name = "Slow"

    def __init__(self) -> None:
        self.sign = threading.Event()
        self.found = threading.Event()
        self.asked = 0

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        self.asked += 1
        interim(replace(LATE, tracks=(TRACK,), calls=self.asked))
        self.found.set()
        self.sign.wait(PATIENCE_SECONDS)
        return ProviderResult((TRACK, TRACK), calls=self.asked)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def slow() -> Iterator[Slow]:
    provider = Slow()
    yield provider
    provider.sign.set()


def test_a_late_search_has_what_was_found_before(slow: Slow, clock: MovableClock) -> None:
    pending = BackgroundProvider(slow, clock).start(QUERY, clock.deadline(60))
    wait_until(slow.found.is_set)
    clock.move(61)
    result = pending.result()
    assert (result.status, result.tracks, result.calls) == (Status.TIMEOUT, (TRACK,), 1)


def test_a_search_in_time_has_all(slow: Slow, clock: MovableClock) -> None:
    pending = BackgroundProvider(slow, clock).start(QUERY, clock.deadline(PATIENCE_SECONDS))
    assert not pending.wait(0.05)
    slow.sign.set()
    assert pending.wait(PATIENCE_SECONDS)
    assert pending.result().tracks == (TRACK, TRACK)


def test_only_abandoned_searches_count(slow: Slow, clock: MovableClock) -> None:
    """Concurrent searches of many users do not block a search. Searches that hang do."""
    provider = BackgroundProvider(slow, clock)
    pending = [provider.start(QUERY, clock.deadline(60)) for _ in range(MAX_ABANDONED + 2)]
    wait_until(lambda: slow.asked == MAX_ABANDONED + 2)
    clock.move(61)
    assert [each.result().status for each in pending] == [Status.TIMEOUT] * (MAX_ABANDONED + 2)
    assert provider.search(QUERY, clock.deadline()) is HANGING
    slow.sign.set()
    for each in pending:
        for future in each.work:
            assert isinstance(future.result(PATIENCE_SECONDS), ProviderResult)
    assert provider.search(QUERY, clock.deadline()).status is Status.OK


def test_a_pending_value_is_made_once_of_what_is_done_at_the_deadline(clock: MovableClock) -> None:
    done: Future[int] = Future()
    made: list[int] = []

    def finish() -> int:
        made.append(1)
        return 7

    pending = Pending([done], clock.deadline(60), clock, finish)
    doubled = pending.then(lambda value: 2 * value)
    assert not doubled.wait(0.01)
    clock.move(61)
    assert doubled.wait(0)
    assert (doubled.result(), doubled.result(), pending.result(), made) == (14, 14, 7, [1])
    assert ready("x", clock).wait(0)
    assert ready("x", clock).result() == "x"


def test_a_thread_that_hangs_holds_off_others_until_its_own_deadline_only(clock: MovableClock) -> None:
    flight = SingleFlight(clock)
    with flight.hold("a", clock.deadline(60)) as first:
        assert first
        with flight.hold("b", clock.deadline(60)) as other:
            assert other
        with flight.hold("a", clock.deadline(0.05)) as second:
            assert not second
        clock.move(61)
        with flight.hold("a", clock.deadline(60)) as third:
            assert third
            with flight.hold("a", clock.deadline(0.05)) as fourth:
                assert not fourth
    with flight.hold("a", clock.deadline(60)) as again:
        assert again


def test_who_waits_goes_on_when_the_holder_is_done_or_late(clock: MovableClock) -> None:
    flight, entered = SingleFlight(clock), threading.Event()

    def wait_for_it() -> None:
        with flight.hold("a", clock.deadline(PATIENCE_SECONDS)) as mine:
            if mine:
                entered.set()

    for seconds in (PATIENCE_SECONDS, 0.1):  # freed by its holder; or its deadline ends
        entered.clear()
        thread = threading.Thread(target=wait_for_it)
        with flight.hold("a", clock.deadline(seconds)):
            thread.start()
            assert entered.wait(PATIENCE_SECONDS if seconds < 1 else 1) == (seconds < 1)
        assert entered.wait(PATIENCE_SECONDS)
        thread.join()


def test_a_search_has_one_thread_a_provider(tmp_path: Path) -> None:
    """Regression: one search used four nested threads."""
    with running(tmp_path) as services:
        services.environment["ITUNES_SEARCH"] = "1"
        services.spotify.faults[SEARCH] = Fault(200, HTML, manner="drip headers")
        services.youtube.faults[EVERYWHERE] = services.itunes.faults[EVERYWHERE] = "header drip"
        before = set(threading.enumerate())
        pending = services.providers().start(QUERY, 1.0)
        pending.wait(0.5)
        ours = [thread.name for thread in set(threading.enumerate()) - before]
        assert sorted(name for name in ours if not name.startswith("Thread-")) == [
            "song-search-Spotify", "song-search-YouTube", "song-search-iTunes",
        ]  # fmt: skip
        results = pending.result().results
        assert {results[name].status for name in ("Spotify", "YouTube", "iTunes")} == {Status.TIMEOUT}
        services.repair()
