"""YouTube over real HTTP: requests, cached results, quota and keys."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.providers.background import BackgroundProvider
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.circuit_breaker import CircuitBreaker
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from tests.support.services.faulty_http import EVERYWHERE, MovableClock
from tests.support.services.youtube import GOOD_KEY, LABELS, YouTubeServer
from tests.support.waiting import wait_until

QUERY = TrackQuery("jazz", "ja")
HOUR = 3600


class Setup:
    """A provider, its server, its quota and its clock."""

    def __init__(self, folder: Path, searches: int = 100) -> None:
        self.server = YouTubeServer()
        self.clock = MovableClock()
        self.path = folder / "budget.sqlite"
        self.quota = DailyQuota(self.path, self.clock, searches)
        self.provider = self.with_key(GOOD_KEY)
        self.background = BackgroundProvider(self.provider, self.clock)

    def with_key(self, key: str, session: requests.Session | None = None) -> YouTubeProvider:
        return YouTubeProvider(key, self.clock, self.quota, base_url=self.server.url, session=session)

    def ask(self, query: TrackQuery = QUERY, seconds: float = 4.0) -> ProviderResult:
        return self.background.search(query, self.clock.deadline(seconds))


@pytest.fixture
def youtube(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.setenv("no_proxy", "*")
    setup = Setup(tmp_path)
    yield setup
    setup.server.close()


def test_one_search_and_one_look(youtube: Setup) -> None:
    result = youtube.ask(TrackQuery("jazz", "en", ReleaseRange.MONTH))
    assert (result.status, result.calls, result.from_cache) == (Status.OK, 2, False)
    search, look = youtube.server.asked
    assert dict(search.params) == {
        "part": "snippet", "type": "video", "videoCategoryId": "10", "topicId": "/m/03_d0", "q": "jazz song",
        "maxResults": "50", "order": "viewCount", "relevanceLanguage": "en", "regionCode": "US",
        "publishedAfter": "2026-10-23T00:00:00Z",
    }  # fmt: skip
    assert look.params["part"] == "snippet,contentDetails,topicDetails"
    assert len(look.params["id"].split(",")) <= 50
    track = result.tracks[0]
    assert track.title == "Don't Lean on the Lantern 0", "unescaped, without what is no title"
    assert track.artists == ("Marlow & the Quiet Ferns",)
    assert track.url == f"https://www.youtube.com/watch?v={track.provider_id}"
    assert (track.provider, track.language, track.language_source) == ("YouTube", "en", "provider")
    assert (str(track.published), track.precision, track.duration_seconds) == ("2026-11-22", "day", 213.0)
    assert track.artwork_url == f"https://i.ytimg.com/vi/{track.provider_id}/mqdefault.jpg"


def test_what_is_no_song_of_the_language_is_left_out(youtube: Setup) -> None:
    for language in LANGUAGES:
        result = youtube.ask(TrackQuery("metal", language))
        videos = [youtube.server.of(track.provider_id) for track in result.tracks]
        assert {video.odd for video in videos} == {""}
        known = [v for v, t in zip(videos, result.tracks, strict=True) if t.language_source != "hint"]
        assert {video.language for video in known} == {language}
        assert {track.language for track in result.tracks} == {language}
    any_language = youtube.ask(TrackQuery("metal"))
    assert {"en", "ja"} <= {track.language for track in any_language.tracks}
    assert "hint" not in {track.language_source for track in any_language.tracks}


def test_a_pool_feeds_many_refreshes(youtube: Setup) -> None:
    first = youtube.ask(TrackQuery("pop", "ko", limit=3))
    second = youtube.ask(TrackQuery("pop", "ko", limit=3, offset=3))
    assert [track.rank for track in first.tracks] < [track.rank for track in second.tracks]
    assert (second.from_cache, second.calls) == (True, 0)
    beyond = youtube.ask(TrackQuery("pop", "ko", offset=500))
    assert (beyond.status, beyond.tracks) == (Status.EMPTY, ())
    assert youtube.server.paths() == ["search", "videos"]
    assert youtube.quota.left == 99


@pytest.mark.parametrize(
    ("span", "hours"), [(ReleaseRange.WEEK, 6), (ReleaseRange.MONTH, 24), (ReleaseRange.ANY, 24)]
)
def test_a_pool_grows_old(youtube: Setup, span: ReleaseRange, hours: int) -> None:
    query = TrackQuery("pop", "ko", span)
    youtube.ask(query)
    youtube.clock.move(hours * HOUR - 30)
    assert youtube.ask(query).from_cache
    youtube.clock.move(31)
    assert not youtube.ask(query).from_cache
    assert youtube.server.paths().count("search") == 2


def test_nothing_found_is_remembered_too(youtube: Setup) -> None:
    youtube.server.videos = []
    assert [youtube.ask().status for _ in range(2)] == [Status.EMPTY] * 2
    assert youtube.server.paths() == ["search"]


def test_two_who_ask_at_once_spend_one_search(youtube: Setup) -> None:
    results: list[ProviderResult] = []
    threads = [threading.Thread(target=lambda: results.append(youtube.ask())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.status for result in results] == [Status.OK] * 6
    assert youtube.server.paths() == ["search", "videos"]


def test_a_second_look_that_fails_is_had_again_without_a_search(youtube: Setup) -> None:
    youtube.server.faults["videos"] = "503"
    result = youtube.ask()
    assert (result.status, result.calls, result.tracks) == (Status.UNREACHABLE, 2, ())
    youtube.server.faults.clear()
    assert youtube.ask().calls == 1
    assert youtube.server.paths() == ["search", "videos", "videos"]


@pytest.mark.parametrize("mode", ["", "old quota"])
def test_the_days_last_search(youtube: Setup, mode: str) -> None:
    """The service also counts the searches of other programs with the same key."""
    youtube.server.used, youtube.server.mode = 100, mode
    result = youtube.ask()
    assert (result.status, result.calls) == (Status.QUOTA, 1)
    assert str(result.retry_at) == "2026-11-23 08:00:00+00:00"
    assert result.detail == "has no searches left for today; the next request is in 20 hours"
    result = youtube.ask(TrackQuery("rock"))
    assert (result.status, result.calls) == (Status.QUOTA, 0)
    assert len(youtube.server.asked) == 1


def test_the_last_ten_are_for_a_person(youtube: Setup) -> None:
    youtube.quota = DailyQuota(youtube.path, youtube.clock, searches=11)
    youtube.provider = youtube.with_key(GOOD_KEY)
    guard = CircuitBreaker(youtube.provider, youtube.clock, lambda: 0.0)
    assert guard.search(QUERY, youtube.clock.deadline()).status is Status.OK
    rock = TrackQuery("rock")
    held = guard.search(rock, youtube.clock.deadline())
    assert (held.status, held.calls) == (Status.QUOTA, 0)
    assert "except the last 10, which are reserved for your clicks" in held.detail
    assert guard.search(QUERY, youtube.clock.deadline()).from_cache, "what is remembered costs nothing"
    assert guard.search_for_person(rock, youtube.clock.deadline()).calls == 2


@pytest.mark.parametrize(
    ("header", "seconds"), [("1", 1), ("3600", 3600), ("86400", 86_400), ("soon", 60), ("²", 60)]
)
def test_a_wish_to_wait_is_kept_in_mind_and_not_slept(youtube: Setup, header: str, seconds: int) -> None:
    youtube.server.faults["search"], youtube.server.retry_after = "429", header
    result = youtube.ask()
    assert result.retry_at is not None
    assert abs((result.retry_at - youtube.clock.now()).total_seconds() - seconds) < 2


def test_a_wish_to_wait_may_be_a_date(youtube: Setup) -> None:
    """Regression: only seconds were parsed, so that a date led to another request after a minute."""
    until = youtube.clock.now() + timedelta(hours=2)
    youtube.server.faults["search"], youtube.server.retry_after = "429", format_datetime(until, usegmt=True)
    result = youtube.ask()
    assert result.retry_at is not None
    assert abs((result.retry_at - until).total_seconds()) < 2


def test_requests_that_hang_are_few(youtube: Setup) -> None:
    youtube.server.faults[EVERYWHERE] = "header drip"  # which keeps every timeout of a socket waiting
    started = []
    for genre in list(LABELS)[:6]:
        pending = youtube.background.start(TrackQuery(genre), youtube.clock.deadline(HOUR))
        started.append(bool(pending.work))
        wait_until(lambda: len(youtube.server.asked) >= sum(started))
        youtube.clock.move(HOUR)
        assert pending.result().status is Status.TIMEOUT
    assert started == [True] * 4 + [False] * 2
    assert len(youtube.server.asked) == 4
    assert youtube.quota.left == 96, "what was not sent is not counted"


def test_a_refused_connection_spends_no_search(youtube: Setup) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        provider = YouTubeProvider(GOOD_KEY, youtube.clock, youtube.quota, base_url=nobody)
        result = provider.search(QUERY, youtube.clock.deadline())
    assert (result.status, result.calls, youtube.quota.left) == (Status.UNREACHABLE, 0, 100)
    late = youtube.provider.search(QUERY, youtube.clock.deadline(0))
    assert (late.status, late.calls, youtube.quota.left) == (Status.TIMEOUT, 0, 100)


def test_an_address_that_is_none(youtube: Setup) -> None:
    provider = YouTubeProvider(GOOD_KEY, youtube.clock, youtube.quota, base_url="nowhere at all")
    result = provider.search(QUERY, youtube.clock.deadline())
    assert (result.status, result.calls, youtube.quota.left) == (Status.BAD_ANSWER, 0, 100)


@pytest.mark.parametrize("mode", ["", "no details"])
def test_a_wrong_key(youtube: Setup, mode: str) -> None:
    youtube.server.mode = mode
    result = youtube.with_key("AIza-other").search(QUERY, youtube.clock.deadline())
    assert (result.status, result.detail, result.calls) == (Status.AUTH, "rejected the key", 1)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "ключ"])
def test_a_key_that_is_none_is_refused_without_showing_it(youtube: Setup, key: str) -> None:
    with pytest.raises(ValueError, match="YouTube key is empty") as caught:
        youtube.with_key(key)
    assert not key.strip() or key not in "".join(traceback.format_exception(caught.value))
