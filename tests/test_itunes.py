"""iTunes' search over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations

import pytest

from dashboard.recommendations.itunes import ITunesProvider
from dashboard.recommendations.tracks import LANGUAGES, ProviderResult, Range, Status, TrackQuery
from tests.fakes.faulty_server import BODIES, EVERYWHERE, MovableClock
from tests.fakes.itunes_server import GENRES, ITunesServer

QUERY = TrackQuery("jazz", "ja")


class Setup:
    """A provider, its server and its clock."""

    def __init__(self) -> None:
        self.server = ITunesServer()
        self.clock = MovableClock()
        self.provider = ITunesProvider(self.clock, base_url=self.server.url)

    def ask(self, query: TrackQuery = QUERY, seconds: float = 4.0) -> ProviderResult:
        return self.provider.search(query, self.clock.deadline(seconds))


@pytest.fixture
def itunes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.setenv("no_proxy", "*")
    setup = Setup()
    yield setup
    setup.server.close()


def test_what_is_asked_and_what_comes_of_it(itunes: Setup) -> None:
    result = itunes.ask()
    assert dict(itunes.server.asked[0].params) == {
        "term": "ジャズ", "country": "JP", "media": "music", "entity": "song", "limit": "200",
        "lang": "ja_jp",
    }  # fmt: skip
    assert (result.status, result.calls, itunes.provider.name) == (Status.OK, 1, "iTunes")
    track = result.tracks[0]
    assert (track.title, track.artists) == ("かみひこうきの地図 1", ("ゆうなぎ電波",))
    assert (track.language, track.language_source, track.provider) == ("ja", "script", "iTunes")
    assert (str(track.published), track.precision, track.duration_seconds) == ("2026-11-21", "day", 201.5)
    assert track.url.startswith("https://music.apple.com/jp/")
    assert track.artwork_url.startswith("https://is1-ssl.mzstatic.com/")
    assert track.album == "Album 501"
    assert len(result.tracks) == 8, "without what is announced, of another genre, a video or elsewhere"


def test_every_filter_changes_the_list(itunes: Setup) -> None:
    itunes.server.a_minute = 1000
    today = itunes.clock.now().date()
    lists: dict[tuple[str, str, Range], frozenset[str]] = {}
    for genre in GENRES:
        for language in LANGUAGES:
            for span in Range:
                result = itunes.ask(TrackQuery(genre, language, span))
                assert result.status is Status.OK, (genre, language, span, result.detail)
                assert {track.language for track in result.tracks} == {language}
                since = span.since(today)
                assert since is None or all(t.published and t.published >= since for t in result.tracks)
                lists[genre, language, span] = frozenset(track.url for track in result.tracks)
            week, month, year, ever = (lists[genre, language, span] for span in Range)
            assert week < month < year < ever
    assert all(one != other for one, other in combinations(lists.values(), 2))
    assert len(lists) == 200


def test_a_pool_feeds_many_refreshes_for_a_day(itunes: Setup) -> None:
    first, second = (itunes.ask(TrackQuery("rock", "ru", limit=2, offset=offset)) for offset in (0, 2))
    assert not {track.url for track in first.tracks} & {track.url for track in second.tracks}
    assert (second.from_cache, second.calls) == (True, 0)
    assert itunes.provider.remembered(TrackQuery("rock", "ru")) is not None
    itunes.clock.move(86_401)
    assert not itunes.provider.search_for_person(TrackQuery("rock", "ru"), itunes.clock.deadline()).from_cache


@pytest.mark.parametrize("code", [403, 429])
def test_too_many_requests(itunes: Setup, code: int) -> None:
    itunes.server.a_minute, itunes.server.too_many = 1, code
    assert itunes.ask().status is Status.OK
    result = itunes.ask(TrackQuery("rock"))
    assert (result.status, result.calls) == (Status.RATE_LIMITED, 1)
    assert result.retry_at is not None
    left = result.retry_at - itunes.clock.now()
    assert timedelta(seconds=58) < left <= timedelta(seconds=60)
    assert result.detail == "was asked too often; it is asked again in 60 seconds"


FAULTS = {
    **dict.fromkeys(BODIES, Status.BAD_ANSWER),
    "odd rows": Status.EMPTY, "drip": Status.TIMEOUT, "header drip": Status.TIMEOUT, "hang": Status.TIMEOUT,
    "cut": Status.UNREACHABLE, "short": Status.UNREACHABLE, "redirect": Status.BAD_ANSWER,
    "400": Status.BAD_REQUEST, "500": Status.UNREACHABLE,
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_end_in_time(itunes: Setup, fault: str) -> None:
    itunes.server.faults[EVERYWHERE] = fault
    seconds = 0.4 if FAULTS[fault] is Status.TIMEOUT else 4.0
    began = itunes.clock.monotonic()
    result = itunes.ask(seconds=seconds)
    assert itunes.clock.monotonic() - began < seconds
    assert (result.status, result.calls, result.tracks) == (FAULTS[fault], 1, ())
    assert result.detail


@pytest.mark.parametrize("milliseconds", ["1e400", "NaN", "true", '"long"', "-5", "9" * 400])
def test_a_duration_that_is_none(itunes: Setup, milliseconds: str) -> None:
    body = (
        '{"results": [{"kind": "song", "trackName": "a\\u202eb\\ud800 \\u001b[2J", "artistName": "Marlow",'
        ' "trackViewUrl": "https://music.apple.com/x", "primaryGenreName": "Jazz", "trackTimeMillis": '
        f'{milliseconds}, "releaseDate": 7}}]}}'
    )
    itunes.server.faults[EVERYWHERE] = body
    (track,) = itunes.ask(TrackQuery("jazz")).tracks
    assert (track.duration_seconds, track.published, track.precision) == (None, None, "none")
    assert track.title == "a b? [2J"
    assert track.youtube_search
