"""Spotify provider over HTTP, with a fake server that is as strict as Spotify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from dashboard.recommendations.domain.tracks import ReleaseRange, TrackQuery
from dashboard.recommendations.providers.background import BackgroundProvider
from dashboard.recommendations.providers.base import Status
from dashboard.recommendations.providers.spotify.page_cache import CACHE_SECONDS
from tests.support.services.spotify import SpotifyServer, song
from tests.support.services.spotify_searches import (
    SEARCH,
    TODAY,
    HalfVirtualClock,
    search,
)


def test_songs_have_all_fields_of_a_row(server: SpotifyServer, provider: BackgroundProvider) -> None:
    result = search(provider, TrackQuery("jazz", "ja", ReleaseRange.WEEK))
    assert (result.status, result.calls, result.from_cache, result.relaxed) == (
        Status.OK,
        2,
        False,
        frozenset(),
    )
    assert [track.published for track in result.tracks] == [date(2026, 11, 22), date(2026, 11, 19)]
    first = result.tracks[0]
    assert (first.provider, first.artists, first.genre) == ("Spotify", ("ゆらぎ灯",), "jazz")
    assert (first.language, first.language_source, first.precision) == ("ja", "script", "day")
    assert first.url == f"https://open.spotify.com/track/{first.provider_id}"
    assert first.artwork_url.startswith("https://i.scdn.co/image/300-")
    assert first.isrc.startswith("ZZ")
    assert first.duration_seconds == pytest.approx(180, abs=1)
    assert [track.rank for track in result.tracks] == [0, 1]
    assert server.requests[1].values == {
        "q": 'genre:"japanese jazz" year:2026',
        "type": "track",
        "market": "JP",
        "limit": "10",
        "offset": "0",
    }


def test_a_search_in_any_language_names_no_market(
    server: SpotifyServer, provider: BackgroundProvider
) -> None:
    result = search(provider, TrackQuery("jazz"))
    assert {(track.language, track.language_source) for track in result.tracks} == {
        (None, "none"),
        ("ru", "script"),
    }
    assert "market" not in server.requests[-1].values


def test_pages_are_requested_by_offset(server: SpotifyServer, provider: BackgroundProvider) -> None:
    server.rows = [song(n, "jazz", "ja", "ゆらぎ灯", TODAY - timedelta(n)) for n in range(37)]
    first = search(provider, TrackQuery("jazz", "ja", limit=15))
    rest = search(provider, TrackQuery("jazz", "ja", limit=50, offset=15))
    offsets = [request.values["offset"] for request in server.requests if request.path == SEARCH]
    assert offsets == ["0", "10", "20", "30"]
    assert [int(track.provider_id) for track in (*first.tracks, *rest.tracks)] == list(range(37))
    assert (first.calls, rest.calls) == (3, 2)
    again = search(provider, TrackQuery("jazz", "ja", limit=50))
    assert (again.calls, again.from_cache, len(again.tracks)) == (0, True, 37)


def test_the_cache_drops_songs_after_an_hour(
    server: SpotifyServer, provider: BackgroundProvider, clock: HalfVirtualClock
) -> None:
    search(provider)
    server.rows = []
    clock.time += timedelta(seconds=CACHE_SECONDS - 1)
    assert search(provider).from_cache
    clock.time += timedelta(seconds=1)
    result = search(provider)
    assert (result.status, result.from_cache, result.tracks) == (Status.EMPTY, False, ())
    assert result.calls == 2  # genre, then keywords


def test_a_search_ends_after_eleven_pages_of_unsuitable_songs(
    server: SpotifyServer, provider: BackgroundProvider
) -> None:
    server.rows = [song(n, "jazz", "ja", "구름서랍", TODAY, "유리") for n in range(500)]
    for row in server.rows:
        row["album"]["name"] = "ジャズ"
    result = search(provider)
    assert (result.status, result.calls) == (Status.EMPTY, 11)


def broken_rows() -> Iterator[Any]:
    yield from (None, 7, "x", [], {}, {"name": None}, [None])
    changes: tuple[dict[str, Any], ...] = (
        {"name": 7}, {"name": ""}, {"id": None}, {"artists": None},
        {"artists": [None, 3]}, {"artists": [{"name": ""}]}, {"album": None}, {"album": []},
        {"external_urls": None}, {"external_urls": {"spotify": "javascript:alert(1)"}},
        {"is_playable": False}, {"external_urls": {"spotify": "http://open.spotify.com/track/1"}},
        {"external_urls": {"spotify": "https://open.spotify.com.evil.example/track/1"}},
        {"external_urls": {"spotify": "https://open.spotify.com@evil.example/"}},
        {"external_urls": {"spotify": 'https://open.spotify.com/"><script>'}},
    )  # fmt: skip
    for change in changes:
        row = song(1, "jazz", "ja", "ゆらぎ灯", TODAY) | change
        del row["_genres"]  # every search finds the row
        yield row


def test_broken_rows_are_skipped(server: SpotifyServer, provider: BackgroundProvider) -> None:
    good = song(2, "jazz", "ja", "ゆらぎ灯", TODAY)
    good |= {"duration_ms": "long", "external_ids": 3}
    good["album"] |= {"images": [], "release_date": "0000", "release_date_precision": "year"}
    odd_pictures = song(3, "jazz", "ja", "ゆらぎ灯", TODAY)
    odd_pictures["album"]["images"] = [None, {"url": "http://i.scdn.co/1"}, {"url": "https://evil.example/1"}]
    server.rows = [*broken_rows(), good, odd_pictures, good]
    result = search(provider)
    assert [int(track.provider_id) for track in result.tracks] == [2, 3]
    track = result.tracks[0]
    assert (track.duration_seconds, track.isrc, track.published, track.precision) == (None, "", None, "none")
    assert [track.artwork_url for track in result.tracks] == ["", ""]


def test_the_fake_is_as_strict_as_spotify(server: SpotifyServer) -> None:
    """The other tests are worth nothing if the fake server accepts wrong requests."""
    import requests

    with requests.Session() as session:

        def fetch(**values: str) -> tuple[int, Any]:
            response = session.get(server.address + SEARCH, params=values, headers=head)
            return response.status_code, response.json()

        head: dict[str, str] = {}
        assert fetch(q="x")[1]["error"] == {"status": 401, "message": "No token provided"}
        head = {"Authorization": "Bearer junk"}
        assert fetch(q="x")[1]["error"]["message"] == "Invalid access token"
        server.tokens.append("test-access-token-x")
        server.valid.add("test-access-token-x")
        head = {"Authorization": "Bearer test-access-token-x"}
        for values, message in (
            ({"q": "x", "type": "track", "limit": "11"}, "Invalid limit"),
            ({"q": "x", "type": "track", "offset": "1001"}, "Invalid offset"),
            ({"type": "track"}, "No search query"),
            ({"q": "x"}, "Bad search type field"),
            ({"q": "x", "type": "track", "market": "Japan"}, "Invalid market code"),
            ({"q": "x", "type": "track", "page": "2"}, "Unknown parameter {'page'}"),
        ):
            assert fetch(**values) == (400, {"error": {"status": 400, "message": message}})
        code, page = fetch(q='genre:"j-pop" year:2026', type="track")
        assert (code, len(page["tracks"]["items"])) == (200, 5)
        assert not any("_genres" in item for item in page["tracks"]["items"])
        assert json.dumps(page).count("popularity") == 0
        assert session.get(server.address + "/v1/browse/new-releases", headers=head).status_code == 403
