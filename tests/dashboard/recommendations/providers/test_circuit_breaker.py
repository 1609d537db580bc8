"""Circuit breaker around providers that hang, raise and fail."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from dashboard.recommendations.domain.tracks import Track, TrackQuery
from dashboard.recommendations.providers.base import Interim, ProviderResult, Status, ignore
from dashboard.recommendations.providers.circuit_breaker import CircuitBreaker
from tests.support.services.faulty_http import MovableClock
from tests.support.waiting import at_most

QUERY = TrackQuery("jazz")
SECRET = "hush-hush"
TRACK = Track("Fake", "Lantern", ("Marlow",), "https://example.org/", "jazz")
OK = ProviderResult((TRACK,), calls=1)


class Scripted:
    """A provider that returns the given results in turn, or calls them, and repeats the last."""

    name = "Fake"

    def __init__(self, *script: ProviderResult | Callable[[], ProviderResult]) -> None:
        self.script = list(script)
        self.asked = 0

    def search(self, query: TrackQuery, deadline: float, interim: Interim = ignore) -> ProviderResult:
        self.asked += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step() if callable(step) else step


class Saving(Scripted):
    """A provider with a cache, and with reserved searches for a person."""

    memory: ProviderResult | None = None

    def search_for_person(
        self, query: TrackQuery, deadline: float, interim: Interim = ignore
    ) -> ProviderResult:
        self.asked += 1
        return OK

    def cached_result(self, query: TrackQuery) -> ProviderResult | None:
        return self.memory


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def guarded(provider: Scripted, clock: MovableClock, jitter: float = 0.0) -> CircuitBreaker:
    return CircuitBreaker(provider, clock, lambda: jitter)


def fault(status: Status, **more: object) -> ProviderResult:
    return ProviderResult(status=status, detail="went wrong", calls=1, **more)  # type: ignore[arg-type]


def test_a_good_answer_passes(clock: MovableClock) -> None:
    guard = guarded(Scripted(OK), clock)
    assert guard.name == "Fake"
    assert guard.search(QUERY, clock.deadline()) == OK
    assert guard.search_for_person(QUERY, clock.deadline()) == OK


@pytest.mark.parametrize("status", [Status.RATE_LIMITED, Status.QUOTA])
def test_a_limit_is_waited_for(clock: MovableClock, status: Status) -> None:
    retry_at = clock.now() + timedelta(hours=7)
    provider = Scripted(fault(status, retry_at=retry_at), OK)
    guard = guarded(provider, clock)
    assert guard.search(QUERY, clock.deadline()).status is status
    clock.move(3600)
    held = guard.search_for_person(QUERY, clock.deadline())
    assert (held.status, held.retry_at, held.calls, provider.asked) == (status, retry_at, 0, 1)
    assert held.detail == "went wrong; the next request is in 6 hours"
    clock.move(6 * 3600)
    assert guard.search(QUERY, clock.deadline()) == OK


@pytest.mark.parametrize("status", [Status.FORBIDDEN, Status.AUTH, Status.PREMIUM])
def test_what_is_refused_is_off_until_a_restart(clock: MovableClock, status: Status) -> None:
    provider = Scripted(fault(status), OK)
    guard = guarded(provider, clock)
    guard.search(QUERY, clock.deadline())
    clock.move(30 * 86_400)
    held = guard.search(QUERY, clock.deadline())
    assert (held.status, held.retry_at, provider.asked) == (status, None, 1)
    assert held.detail == "went wrong; there is no further request before a restart"


@pytest.mark.parametrize(
    "status", [Status.TIMEOUT, Status.UNREACHABLE, Status.BAD_ANSWER, Status.BAD_REQUEST, Status.RATE_LIMITED]
)
def test_faults_double_the_pause(clock: MovableClock, status: Status) -> None:
    provider = Scripted(fault(status))
    guard = guarded(provider, clock)
    for turn, pause in enumerate((30, 60, 120, 240, 480, 600, 600), start=1):
        guard.search(QUERY, clock.deadline())
        assert provider.asked == turn
        clock.move(pause - 1)
        held = guard.search(QUERY, clock.deadline())
        assert (held.status, provider.asked) == (status, turn)
        assert "the next request is in 1 second" in held.detail
        clock.move(1)
    provider.script = [OK, fault(status)]
    assert guard.search(QUERY, clock.deadline()) == OK
    guard.search(QUERY, clock.deadline())
    clock.move(30)
    guard.search(QUERY, clock.deadline())
    assert provider.asked == 10, "a good answer begins at 30 seconds again"


def test_jitter_only_makes_a_pause_longer(clock: MovableClock) -> None:
    provider = Scripted(fault(Status.TIMEOUT))
    guard = guarded(provider, clock, jitter=1.0)
    guard.search(QUERY, clock.deadline())
    clock.move(37)
    guard.search(QUERY, clock.deadline())
    assert provider.asked == 1
    clock.move(0.5)
    guard.search(QUERY, clock.deadline())
    assert provider.asked == 2


def test_off_and_empty_are_no_faults(clock: MovableClock) -> None:
    provider = Scripted(ProviderResult(status=Status.OFF), ProviderResult(status=Status.EMPTY), OK)
    guard = guarded(provider, clock)
    statuses = [guard.search(QUERY, clock.deadline()).status for _ in range(3)]
    assert statuses == [Status.OFF, Status.EMPTY, Status.OK]


def nested() -> ProviderResult:
    json.loads("[" * 100_000)
    return OK


def broken() -> ProviderResult:
    raise RuntimeError(f"GET /search?key={SECRET}")


@pytest.mark.parametrize("raising", [broken, nested])
def test_an_exception_is_a_bad_answer_without_its_words(
    clock: MovableClock, raising: Callable[[], ProviderResult], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    result = guarded(Scripted(raising), clock).search(QUERY, clock.deadline())
    assert result.status is Status.BAD_ANSWER
    assert SECRET not in caplog.text + result.detail
    assert "Fake failed: R" in caplog.text


def test_no_deadline_is_outlived_and_hanging_ones_are_few(clock: MovableClock) -> None:
    release = threading.Event()

    def hang() -> ProviderResult:
        release.wait()
        return OK

    provider = Scripted(hang)
    guard = guarded(provider, clock)
    for turn in range(6):
        with at_most(0.85):
            result = guard.search(QUERY, clock.deadline(0.5))
        assert result.status is Status.TIMEOUT
        assert provider.asked == min(turn + 1, 4)
        clock.move(700)
    release.set()


def test_no_time_at_all_is_no_fault_of_the_provider(clock: MovableClock) -> None:
    provider = Scripted(OK)
    guard = guarded(provider, clock)
    assert guard.search(QUERY, clock.deadline(0)).status is Status.TIMEOUT
    assert guard.search(QUERY, clock.deadline()) == OK


def test_searches_beside_each_other_count_as_one_fault(clock: MovableClock) -> None:
    gate = threading.Barrier(3)

    def late() -> ProviderResult:
        gate.wait(5)
        return fault(Status.UNREACHABLE)

    provider = Scripted(late)
    guard = guarded(provider, clock)
    threads = [threading.Thread(target=guard.search, args=(QUERY, clock.deadline())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.script = [OK]
    clock.move(30)
    assert guard.search(QUERY, clock.deadline()) == OK


def test_what_is_remembered_is_given_while_closed(clock: MovableClock) -> None:
    provider = Saving(fault(Status.AUTH))
    guard = guarded(provider, clock)
    guard.search(QUERY, clock.deadline())
    assert guard.search(QUERY, clock.deadline()).status is Status.AUTH
    provider.memory = OK
    assert guard.search(QUERY, clock.deadline()) == OK
    assert provider.asked == 1


def test_a_memory_that_fails_is_none(clock: MovableClock) -> None:
    class Forgetful(Saving):
        def cached_result(self, query: TrackQuery) -> ProviderResult | None:
            return broken()

    guard = guarded(Forgetful(fault(Status.AUTH)), clock)
    assert [guard.search(QUERY, clock.deadline()).status for _ in range(2)] == [Status.AUTH] * 2


def test_a_person_passes_where_the_provider_only_saves(clock: MovableClock) -> None:
    retry_at = clock.now() + timedelta(hours=3)
    provider = Saving(ProviderResult(status=Status.QUOTA, retry_at=retry_at))
    guard = guarded(provider, clock)
    assert guard.search(QUERY, clock.deadline()).status is Status.QUOTA
    assert guard.search_for_person(QUERY, clock.deadline()) == OK
    provider = Saving(fault(Status.QUOTA, retry_at=retry_at))
    guard = guarded(provider, clock)
    guard.search(QUERY, clock.deadline())
    assert guard.search_for_person(QUERY, clock.deadline()).status is Status.QUOTA


def test_a_cached_result_does_not_show_that_the_provider_is_well(clock: MovableClock) -> None:
    cached = ProviderResult((TRACK,), from_cache=True)
    provider = Scripted(fault(Status.UNREACHABLE), cached, fault(Status.UNREACHABLE))
    guard = guarded(provider, clock)
    guard.search(QUERY, clock.deadline())
    clock.move(30)
    assert guard.search(QUERY, clock.deadline()) == cached
    guard.search(QUERY, clock.deadline())
    clock.move(59)
    guard.search(QUERY, clock.deadline())
    assert provider.asked == 3, "the pause is as long as after a second failure in a row"
    clock.move(1)
    guard.search(QUERY, clock.deadline())
    assert provider.asked == 4
