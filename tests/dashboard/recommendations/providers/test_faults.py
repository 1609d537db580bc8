"""Every fault of every provider over real HTTP, behind its circuit breaker. ``pytest -s`` prints the table.

Each fault has its status, ends before the deadline, and is reported in one sentence. Afterwards songs
come again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.playlist import Playlist
from dashboard.recommendations.providers.base import RemoteProvider, Status
from dashboard.recommendations.providers.circuit_breaker import CircuitBreaker
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.itunes import ITunesProvider
from dashboard.recommendations.providers.registry import CombinedResult
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from dashboard.recommendations.service import ProviderReport
from tests.support.services.all import Services, page_data, running
from tests.support.services.faulty_http import BODIES, EVERYWHERE
from tests.support.services.spotify import HTML, INVALID_CLIENT, PREMIUM, Fault, error_response
from tests.support.services.spotify_searches import CLIENT_ID, CLIENT_SECRET, SEARCH, TOKEN
from tests.support.services.youtube import GOOD_KEY
from tests.support.waiting import at_most

QUERY = TrackQuery("jazz", "ja")
DEADLINE_SECONDS = 0.6
WAITING_SECONDS = 2.0
"""Deadline in seconds if the fault is not slowness. A busy machine must not turn it into slowness."""
MARGIN_SECONDS = 0.05
ATTEMPTS = 3
"""Attempts at a case, each with three times the seconds of the last, since a busy machine may be late."""


@dataclass(frozen=True)
class Case:
    """A fault: its trigger, its status, and the number of requests."""

    provider: str
    description: str
    make: Callable[[Services], object]
    status: Status
    calls: int
    wait_seconds: float | None = None
    """Seconds until ``retry_at``, if the service or the provider names a time."""


def searching(
    description: str, fault: Fault, status: Status, calls: int = 2, wait: float | None = None
) -> Case:
    return Case(
        "Spotify", description, lambda all_: all_.spotify.faults.update({SEARCH: fault}), status, calls, wait
    )


def once(description: str, fault: Fault, calls: int) -> Case:
    return Case(
        "Spotify", description, lambda all_: all_.spotify.script.update({SEARCH: [fault]}), Status.OK, calls
    )


def token(description: str, fault: Fault, status: Status, calls: int = 1, wait: float | None = None) -> Case:
    description = f"token: {description}"
    return Case(
        "Spotify", description, lambda all_: all_.spotify.faults.update({TOKEN: fault}), status, calls, wait
    )


def nothing_there(all_: Services) -> None:
    all_.spotify.rows = []


SPOTIFY = (
    token("400 invalid client", INVALID_CLIENT, Status.AUTH),
    token("400, no envelope", Fault(400, b'["invalid_client"]'), Status.AUTH),
    token("401", error_response(401, "Unauthorized"), Status.AUTH),
    token("429, wait 7 s", error_response(429, "Too many", Retry_After="7"), Status.RATE_LIMITED, 1, 7),
    token("503 with HTML", Fault(503, HTML, "text/html"), Status.UNREACHABLE, 2),
    token("200 with HTML", Fault(200, HTML, "text/html"), Status.BAD_ANSWER),
    token("odd life", Fault(200, b'{"access_token":"test-access-odd","expires_in":"x"}'), Status.BAD_ANSWER),
    token("odd token", Fault(200, b'{"access_token":"test-access\\nx","expires_in":9}'), Status.BAD_ANSWER),
    token("hangs", Fault(manner="silent"), Status.TIMEOUT),
    token("a byte now and then", Fault(200, HTML, manner="drip"), Status.TIMEOUT),
    once("401 once", error_response(401, "The access token expired"), 4),
    once("502 once", error_response(502, "Bad gateway"), 3),
    searching("401 always", error_response(401, "The access token expired"), Status.AUTH, 4),
    searching("401, error is a string", Fault(401, b'{"error":"invalid_token"}'), Status.AUTH, 4),
    searching("403 Premium, as text", Fault(403, PREMIUM.encode(), "text/plain"), Status.PREMIUM),
    searching("403 Premium, as JSON", error_response(403, PREMIUM), Status.PREMIUM),
    searching("403 not allowed", error_response(403, "Forbidden"), Status.FORBIDDEN),
    searching(
        "429, wait 3600 s", error_response(429, "Slow", Retry_After="3600"), Status.RATE_LIMITED, 2, 3600
    ),
    searching(
        "429, wait until a date",
        error_response(429, "Slow", Retry_After="Sun, 22 Nov 2026 13:00:00 GMT"),
        Status.RATE_LIMITED,
        2,
        3600,
    ),
    searching("429, no wait named", error_response(429, "Slow"), Status.RATE_LIMITED, 2, 45),
    searching("429, error is a string", Fault(429, b'{"error":"x"}'), Status.RATE_LIMITED, 2, 45),
    searching("429 quota", error_response(429, "Too many", "QUOTA_EXCEEDED"), Status.QUOTA, 2, 5400),
    searching(
        "429 quota, wait a day",
        error_response(429, "Too many", "QUOTA_EXCEEDED", Retry_After="86400"),
        Status.QUOTA,
        2,
        86_400,
    ),
    searching("400 invalid limit", error_response(400, "Invalid limit"), Status.BAD_REQUEST),
    searching("404", error_response(404, "Service not found"), Status.BAD_REQUEST),
    searching("500", error_response(500, "Oops"), Status.UNREACHABLE, 3),
    searching("502 with HTML", Fault(502, HTML, "text/html"), Status.UNREACHABLE, 3),
    searching("503", Fault(503), Status.UNREACHABLE, 3),
    searching("503, wait 60 s", error_response(503, "Busy", Retry_After="60"), Status.UNREACHABLE, 2, 60),
    searching("HTML, not JSON", Fault(200, HTML, "text/html"), Status.BAD_ANSWER),
    searching("JSON: an error as text", Fault(200, b'{"error":"x"}'), Status.BAD_ANSWER),
    searching("JSON: a list", Fault(200, b"[]"), Status.BAD_ANSWER),
    searching("JSON: tracks is a text", Fault(200, b'{"tracks":"x"}'), Status.BAD_ANSWER),
    searching("JSON: items is null", Fault(200, b'{"tracks":{"items":null}}'), Status.BAD_ANSWER),
    searching("JSON: 200000 deep", Fault(200, b"[" * 200_000), Status.BAD_ANSWER),
    searching("no UTF-8", Fault(200, b'{"tracks": "\xff\xfe"'), Status.BAD_ANSWER),
    searching("5 MB", Fault(200, b" " * 5_000_000), Status.BAD_ANSWER),
    searching("redirect", Fault(302, headers=(("Location", "/v1/elsewhere"),)), Status.BAD_ANSWER),
    searching("no gzip", Fault(200, HTML, headers=(("Content-Encoding", "gzip"),)), Status.BAD_ANSWER),
    searching("cut short", Fault(200, b'{"tracks":', manner="cut"), Status.UNREACHABLE, 3),
    searching("connection closed", Fault(manner="close"), Status.UNREACHABLE, 3),
    searching("hangs", Fault(manner="silent"), Status.TIMEOUT),
    searching("a byte now and then", Fault(200, HTML, manner="drip"), Status.TIMEOUT),
    searching("a byte of the head now and then", Fault(200, HTML, manner="drip headers"), Status.TIMEOUT),
    Case("Spotify", "nothing found", nothing_there, Status.EMPTY, 3),
)


def mode(description: str, name: str, status: Status, wait: float | None = None) -> Case:
    return Case("YouTube", description, lambda all_: setattr(all_.youtube, "mode", name), status, 1, wait)


def used_up(name: str) -> Callable[[Services], None]:
    def make(all_: Services) -> None:
        all_.youtube.used, all_.youtube.mode = 100, name

    return make


def faulty(
    provider: str,
    description: str,
    fault: str,
    status: Status,
    wait: float | None = None,
    *,
    at: str = EVERYWHERE,
) -> Case:
    def make(all_: Services) -> None:
        server = all_.youtube if provider == "YouTube" else all_.itunes
        server.faults[at] = fault

    return Case(provider, description, make, status, 2 if at == "videos" else 1, wait)


HOURS_TO_MIDNIGHT = 20 * 3600.0
BAD_KEY = '{"error": {"code": 400, "message": "Bad Request", "errors": [{"reason": "keyInvalid"}]}}'

YOUTUBE = (
    faulty("YouTube", "keyInvalid", f"400 {BAD_KEY}", Status.AUTH),
    Case("YouTube", "quotaExceeded (403)", used_up("old quota"), Status.QUOTA, 1, HOURS_TO_MIDNIGHT),
    Case("YouTube", "searches per day (429)", used_up(""), Status.QUOTA, 1, HOURS_TO_MIDNIGHT),
    Case("YouTube", "own budget gone", lambda all_: None, Status.QUOTA, 0, HOURS_TO_MIDNIGHT),
    mode("403 interface not switched on", "not configured", Status.FORBIDDEN),
    mode("429 a minute's limit", "per minute", Status.RATE_LIMITED, 60),
    faulty("YouTube", "429 with HTML", "429", Status.RATE_LIMITED, 60),
    faulty("YouTube", "401", "401", Status.AUTH),
    faulty("YouTube", "500", "500", Status.UNREACHABLE),
    mode("500, error is a string", "words", Status.UNREACHABLE),
    faulty("YouTube", "503 at the second request", "503", Status.UNREACHABLE, at="videos"),
    faulty("YouTube", "hangs", "hang", Status.TIMEOUT),
    faulty("YouTube", "hangs at the second request", "hang", Status.TIMEOUT, at="videos"),
    faulty("YouTube", "a byte now and then", "drip", Status.TIMEOUT),
    faulty("YouTube", "connection closed", "cut", Status.UNREACHABLE),
    faulty("YouTube", "redirect", "redirect", Status.BAD_ANSWER),
    *(
        faulty("YouTube", f"{name} at {at}", name, status, at=at)
        for at in ("search", "videos")
        for name, status in {
            **dict.fromkeys(BODIES, Status.BAD_ANSWER),
            "odd rows": Status.EMPTY, "header drip": Status.TIMEOUT, "short": Status.UNREACHABLE,
            "bad gzip": Status.BAD_ANSWER, "400": Status.BAD_REQUEST, "403": Status.FORBIDDEN,
            "404": Status.BAD_REQUEST, "418": Status.BAD_ANSWER,
        }.items()
    ),
)  # fmt: skip

ITUNES = (
    faulty("iTunes", "403", "403", Status.RATE_LIMITED, 60),
    faulty("iTunes", "429", "429", Status.RATE_LIMITED, 60),
    faulty("iTunes", "500", "500", Status.UNREACHABLE),
    faulty("iTunes", "hangs", "hang", Status.TIMEOUT),
    faulty("iTunes", "a byte now and then", "drip", Status.TIMEOUT),
    faulty("iTunes", "connection closed", "cut", Status.UNREACHABLE),
    faulty("iTunes", "redirect", "redirect", Status.BAD_ANSWER),
    *(
        faulty("iTunes", name, name, status)
        for name, status in {
            **dict.fromkeys(BODIES, Status.BAD_ANSWER),
            "odd rows": Status.EMPTY, "header drip": Status.TIMEOUT, "short": Status.UNREACHABLE,
            "400": Status.BAD_REQUEST,
        }.items()
    ),
)  # fmt: skip


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as started:
        yield started


def sent(case: Case, services: Services) -> int:
    """Return the number of requests that the service of a case received."""
    if case.provider == "Spotify":
        return len(services.spotify.requests)
    return len((services.youtube if case.provider == "YouTube" else services.itunes).asked)


def provider_of(case: Case, quota: DailyQuota, services: Services) -> RemoteProvider:
    if case.provider == "Spotify":
        address = services.spotify.address
        return SpotifyProvider(
            CLIENT_ID, CLIENT_SECRET, services.clock, base_url=address, token_url=address + TOKEN,
            jitter=lambda: 0.5,
        )  # fmt: skip
    if case.provider == "iTunes":
        return ITunesProvider(services.clock, base_url=services.itunes.url)
    return YouTubeProvider(GOOD_KEY, services.clock, quota, base_url=services.youtube.url)


def walk(case: Case, provider: RemoteProvider, services: Services, attempt: int) -> tuple[str, str, float]:
    """Search under the fault. Returns the result, the sentence on the page, and the seconds."""
    guard = CircuitBreaker(provider, services.clock, lambda: 0.0)
    seconds = (DEADLINE_SECONDS if case.status is Status.TIMEOUT else WAITING_SECONDS) * 3**attempt
    began, now, before = time.monotonic(), services.clock.now(), sent(case, services)
    with at_most(seconds + MARGIN_SECONDS):
        result = guard.search(QUERY, services.clock.deadline(seconds))
    spent = time.monotonic() - began
    assert (result.status, result.calls) == (case.status, case.calls)
    assert sent(case, services) - before == case.calls
    assert bool(result.tracks) == (case.status is Status.OK)
    assert result.detail or result.tracks
    if case.wait_seconds is not None:
        assert result.retry_at is not None
        off = result.retry_at - now - timedelta(seconds=case.wait_seconds)
        assert abs(off) < timedelta(seconds=30), "the clocks of the test go on"
    else:
        assert result.retry_at is None
    assert ("Premium" in result.detail) == ("Premium" in case.description)
    held = guard.search(TrackQuery("pop"), services.clock.deadline(seconds))
    if case.status not in (Status.OK, Status.EMPTY):
        assert (held.status, held.calls) == (case.status, 0), "it is left alone for a while"
        assert re.search("no further request before a restart|next request is in [0-9]+ [a-z]+$", held.detail)
    for each in (result, held):
        sentence = " ".join(CombinedResult((), {guard.name: each}, frozenset()).messages)
        assert bool(sentence) == (each.status is not Status.OK)
        reports = {guard.name: ProviderReport(each, len(each.tracks))}
        rows = page_data(Playlist(), reports, services.clock)["providers"]
        (shown,) = [row for row in rows if row["name"] == guard.name]
        assert (shown["tone"] == "fault") == (each.status not in (Status.OK, Status.EMPTY))
        for text in (sentence, shown["status"]):
            assert len(text) < 150
            assert not re.search(r"[{}<>\n]|Error|Exception|test-|AIza|\.[;.]", text)
        if each is result:
            texts = (shown["status"], sentence)
    return *texts, spent


@pytest.mark.parametrize("cases", [SPOTIFY, YOUTUBE, ITUNES], ids=["Spotify", "YouTube", "iTunes"])
def test_every_fault_is_reported_in_time(cases: tuple[Case, ...], services: Services, tmp_path: Path) -> None:
    lines = [
        "| provider | fault | status | the page says | `overheard recommend` says | seconds |",
        "|---|---|---|---|---|---|",
    ]
    wrong: list[str] = []
    rows = services.spotify.rows
    for number, case in enumerate(cases):
        shown, sentence, spent = "?", "?", 0.0
        for attempt in range(ATTEMPTS):
            searches = 10 if case.description == "own budget gone" else 100
            quota = DailyQuota(tmp_path / f"{number}-{attempt}.sqlite", services.clock, searches)
            provider = provider_of(case, quota, services)
            case.make(services)
            try:
                shown, sentence, spent = walk(case, provider, services, attempt)
                if case.provider == "YouTube" and case.status is not Status.QUOTA:
                    asked = 2 if case.status is Status.EMPTY else 1  # ``walk`` searches twice if time allows
                    assert quota.left == searches - asked, "a search is counted once, whatever came back"
                break
            except AssertionError as failure:
                if attempt == ATTEMPTS - 1:
                    wrong.append(f"{case.provider}, {case.description}: {failure}")
            finally:
                services.repair()
                services.spotify.rows = rows
        lines.append(
            f"| {case.provider} | {case.description} | {case.status} | {shown} | {sentence} | {spent:.2f} |"
        )
        again = provider.search(TrackQuery("rock", "ja"), services.clock.deadline())
        budget_gone = case.status is Status.QUOTA and case.provider == "YouTube"
        if again.status is not Status.OK and not budget_gone:
            wrong.append(f"{case.provider}, {case.description}: it lasts, {again.status}")
    print("\n" + "\n".join(lines))
    assert not wrong, "\n".join(wrong)
    assert len(cases) >= 20
