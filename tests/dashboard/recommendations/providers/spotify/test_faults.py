"""Faults of Spotify: waits, expired tokens, slow responses and credentials."""

from __future__ import annotations

import threading
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
    error_response,
    song,
)
from tests.support.services.spotify_searches import (
    NOW,
    SEARCH,
    TODAY,
    HalfVirtualClock,
    make_provider,
    search,
)
from tests.support.waiting import wait_until


@pytest.mark.parametrize("reason", ["", "QUOTA_EXCEEDED"])
@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("1", 1), ("3600", 3600), ("86400", 86400), ("-5", None), ("9" * 5000, None), ("9" * 30, 7 * 86400),
        ("Mon, 23 Nov 2026 12:10:00 GMT", 600), ("soon", None), ("", None),
    ],
)  # fmt: skip
def test_the_time_of_the_next_request_comes_from_retry_after_or_a_default(
    server: SpotifyServer, provider: BackgroundProvider, reason: str, wait: str, seconds: int | None
) -> None:
    server.faults[SEARCH] = error_response(429, "Too many requests", reason, Retry_After=wait)
    result = search(provider)
    assert result.status is (Status.QUOTA if reason else Status.RATE_LIMITED)
    default = 5400 if reason else 45  # an hour or half a minute, and half of it by jitter
    assert result.retry_at == NOW + timedelta(seconds=default if seconds is None else seconds)
    assert result.calls == 2


def test_wrong_credentials_have_a_status(server: SpotifyServer, clock: HalfVirtualClock) -> None:
    assert search(make_provider(server.address, clock, "test-client-secret-wrong")).status is Status.AUTH
    assert search(make_provider(server.address, clock, "test-client-secret-é")).status is Status.AUTH
    assert search(make_provider(server.address, clock, " ")).status is Status.OFF


def test_an_expired_token_is_renewed_once(server: SpotifyServer, provider: BackgroundProvider) -> None:
    search(provider)
    server.valid.clear()
    result = search(provider, TrackQuery("rock", "ja"))
    assert (result.status, result.calls, len(server.tokens)) == (Status.OK, 3, 2)


def test_a_single_fault_is_retried(server: SpotifyServer, provider: BackgroundProvider) -> None:
    server.script[SEARCH] = [error_response(502, "Bad gateway")]
    assert search(provider).status is Status.OK


def test_songs_found_before_a_fault_are_returned(server: SpotifyServer, provider: BackgroundProvider) -> None:
    server.rows = [song(n, "jazz", "ja", "ゆらぎ灯", TODAY) for n in range(30)]
    server.script[SEARCH] = [None, Fault(manner="silent")]
    result = search(provider, seconds=1.0)
    assert (result.status, len(result.tracks), result.from_cache) == (Status.TIMEOUT, 10, False)


def test_the_number_of_abandoned_threads_is_limited(
    server: SpotifyServer, provider: BackgroundProvider, clock: HalfVirtualClock
) -> None:
    search(provider)
    server.faults[SEARCH] = Fault(200, HTML, manner="drip headers")
    results = []
    for _ in range(MAX_ABANDONED + 3):
        requests = len(server.requests)
        pending = provider.start(TrackQuery("rock", "ja"), clock.monotonic() + 60)
        if pending.work:
            wait_until(lambda before=requests: len(server.requests) > before)  # type: ignore[misc]
        clock.moved_seconds += 60
        results.append(pending.result())
    assert {result.status for result in results} == {Status.TIMEOUT}
    assert [result.calls for result in results] == [1] * MAX_ABANDONED + [0] * 3
    assert sum(thread.name == "song-search-Spotify" for thread in threading.enumerate()) <= MAX_ABANDONED + 2


def test_a_netrc_does_not_replace_the_token(
    server: SpotifyServer, provider: BackgroundProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library requests replaces the Authorization header by an entry in ``.netrc``."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert search(provider).status is Status.OK
