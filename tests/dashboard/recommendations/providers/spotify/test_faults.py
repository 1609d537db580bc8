"""Faults of Spotify: waits, expired tokens, slow responses and credentials."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.background import MAX_ABANDONED, BackgroundProvider
from dashboard.recommendations.providers.base import Status
from tests.support.services.spotify import (
    HTML,
    Fault,
    SpotifyServer,
    error,
    serving,
    song,
)
from tests.support.services.spotify_searches import (
    CLIENT_ID,
    CLIENT_SECRET,
    NOW,
    SEARCH,
    TODAY,
    HalfVirtualClock,
    make,
    search,
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    with serving(CLIENT_ID, CLIENT_SECRET, TODAY) as running:
        yield running


@pytest.fixture
def clock() -> HalfVirtualClock:
    return HalfVirtualClock()


@pytest.fixture
def provider(server: SpotifyServer, clock: HalfVirtualClock) -> BackgroundProvider:
    return make(server.address, clock)


@pytest.mark.parametrize("reason", ["", "QUOTA_EXCEEDED"])
@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("1", 1), ("3600", 3600), ("86400", 86400), ("-5", None), ("9" * 5000, None), ("9" * 30, 7 * 86400),
        ("Mon, 23 Nov 2026 12:10:00 GMT", 600), ("soon", None), ("", None),
    ],
)  # fmt: skip
def test_who_asks_too_often_learns_when_to_come_back(
    server: SpotifyServer, provider: BackgroundProvider, reason: str, wait: str, seconds: int | None
) -> None:
    server.faults[SEARCH] = error(429, "Too many requests", reason, Retry_After=wait)
    result = search(provider)
    assert result.status is (Status.QUOTA if reason else Status.RATE_LIMITED)
    unsaid = 5400 if reason else 45  # an hour or half a minute, and half of it by jitter
    assert result.retry_at == NOW + timedelta(seconds=unsaid if seconds is None else seconds)
    assert result.calls == 2


def test_wrong_credentials(server: SpotifyServer, clock: HalfVirtualClock) -> None:
    assert search(make(server.address, clock, "test-client-secret-wrong")).status is Status.AUTH
    assert search(make(server.address, clock, "test-client-secret-é")).status is Status.AUTH
    assert search(make(server.address, clock, " ")).status is Status.OFF


def test_an_expired_token_is_renewed_once(server: SpotifyServer, provider: BackgroundProvider) -> None:
    search(provider)
    server.valid.clear()
    result = search(provider, TrackQuery("rock", "ja"))
    assert (result.status, result.calls, len(server.tokens)) == (Status.OK, 3, 2)


def test_one_fault_in_passing_is_not_seen(server: SpotifyServer, provider: BackgroundProvider) -> None:
    server.script[SEARCH] = [error(502, "Bad gateway")]
    assert search(provider).status is Status.OK


def test_songs_found_before_a_fault_are_returned(server: SpotifyServer, provider: BackgroundProvider) -> None:
    server.rows = [song(n, "jazz", "ja", "ゆらぎ灯", TODAY) for n in range(30)]
    server.script[SEARCH] = [None, Fault(manner="silent")]
    result = search(provider, seconds=1.0)
    assert (result.status, len(result.tracks), result.from_cache) == (Status.TIMEOUT, 10, False)


def test_threads_left_behind_are_few(server: SpotifyServer, provider: BackgroundProvider) -> None:
    search(provider)
    server.faults[SEARCH] = Fault(200, HTML, manner="drip headers")
    results = [search(provider, TrackQuery("rock", "ja"), 0.6) for _ in range(MAX_ABANDONED + 3)]
    assert {result.status for result in results} == {Status.TIMEOUT}
    assert [result.calls for result in results] == [1] * MAX_ABANDONED + [0] * 3
    assert sum(thread.name == "song-search-Spotify" for thread in threading.enumerate()) <= MAX_ABANDONED + 2


def test_a_netrc_does_not_replace_the_token(
    server: SpotifyServer, provider: BackgroundProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """requests lets a machine's entry in ``.netrc`` overwrite any Authorization header."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert search(provider).status is Status.OK
