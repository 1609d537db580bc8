"""The iTunes provider over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.background import BackgroundProvider
from dashboard.recommendations.providers.base import ProviderResult, Status
from dashboard.recommendations.providers.itunes import ITunesProvider
from tests.support.services.faulty_http import EVERYWHERE, MovableClock
from tests.support.services.itunes import ITunesServer

QUERY = TrackQuery("jazz", "ja")


class Setup:
    """A provider, its server and its clock."""

    def __init__(self) -> None:
        self.server = ITunesServer()
        self.clock = MovableClock()
        self.provider = ITunesProvider(self.clock, base_url=self.server.url)
        self.background = BackgroundProvider(self.provider, self.clock)

    def ask(self, query: TrackQuery = QUERY, seconds: float = 4.0) -> ProviderResult:
        return self.background.search(query, self.clock.deadline(seconds))


@pytest.fixture
def itunes() -> Iterator[Setup]:
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


def test_a_pool_feeds_many_refreshes_for_a_day(itunes: Setup) -> None:
    first, second = (itunes.ask(TrackQuery("rock", "ru", limit=2, offset=offset)) for offset in (0, 2))
    assert not {track.url for track in first.tracks} & {track.url for track in second.tracks}
    assert (second.from_cache, second.calls) == (True, 0)
    assert itunes.provider.cached_result(TrackQuery("rock", "ru")) is not None
    itunes.clock.move(86_401)
    assert not itunes.provider.search_for_person(TrackQuery("rock", "ru"), itunes.clock.deadline()).from_cache


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
