"""Whatever goes wrong at Spotify: a status, an answer in time, and no secret anywhere."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.recommendations.spotify import LATE_MAX, SpotifyProvider
from dashboard.recommendations.tracks import LANGUAGES, ProviderResult, Status, TrackQuery
from tests.fakes.spotify_server import (
    HTML,
    INVALID_CLIENT,
    PREMIUM,
    Fault,
    SpotifyServer,
    error,
    serving,
    song,
)
from tests.spotify_searches import (
    CLIENT_ID,
    CLIENT_SECRET,
    NOW,
    SEARCH,
    SECRETS,
    TODAY,
    TOKEN,
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
def provider(server: SpotifyServer, clock: HalfVirtualClock) -> SpotifyProvider:
    return make(server.address, clock)


@pytest.mark.parametrize("reason", ["", "QUOTA_EXCEEDED"])
@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("1", 1), ("3600", 3600), ("86400", 86400), ("-5", 1), ("9" * 5000, None), ("9" * 30, 7 * 86400),
        ("Mon, 23 Nov 2026 12:10:00 GMT", 600), ("soon", None), ("", None),
    ],
)  # fmt: skip
def test_who_asks_too_often_learns_when_to_come_back(
    server: SpotifyServer, provider: SpotifyProvider, reason: str, wait: str, seconds: int | None
) -> None:
    server.faults[SEARCH] = error(429, "Too many requests", reason, Retry_After=wait)
    result = search(provider)
    assert result.status is (Status.QUOTA if reason else Status.RATE_LIMITED)
    unsaid = 5400 if reason else 45  # an hour or half a minute, and half of it by jitter
    assert result.retry_at == NOW + timedelta(seconds=unsaid if seconds is None else seconds)
    assert result.calls == 2


FAULTS = {
    "premium text": (Fault(403, PREMIUM.encode(), "text/plain"), Status.FORBIDDEN, 2),
    "premium json": (error(403, PREMIUM), Status.FORBIDDEN, 2),
    "forbidden": (error(403, "Forbidden"), Status.FORBIDDEN, 2),
    "401 for ever": (error(401, "The access token expired"), Status.AUTH, 4),
    "401, error is a string": (Fault(401, b'{"error":"invalid_token"}'), Status.AUTH, 4),
    "429, error is a string": (Fault(429, b'{"error":"x"}'), Status.RATE_LIMITED, 2),
    "limit": (error(400, "Invalid limit"), Status.BAD_REQUEST, 2),
    "404": (error(404, "Service not found"), Status.BAD_REQUEST, 2),
    "500": (error(500, "Oops"), Status.UNREACHABLE, 3),
    "502": (Fault(502, HTML, "text/html"), Status.UNREACHABLE, 3),
    "503": (Fault(503), Status.UNREACHABLE, 3),
    "503 with a wait": (error(503, "Busy", Retry_After="60"), Status.UNREACHABLE, 2),
    "html": (Fault(200, HTML, "text/html"), Status.BAD_ANSWER, 2),
    "200, error is a string": (Fault(200, b'{"error":"x"}'), Status.BAD_ANSWER, 2),
    "a list": (Fault(200, b"[]"), Status.BAD_ANSWER, 2),
    "tracks is a text": (Fault(200, b'{"tracks":"x"}'), Status.BAD_ANSWER, 2),
    "items is null": (Fault(200, b'{"tracks":{"items":null}}'), Status.BAD_ANSWER, 2),
    "deep": (Fault(200, b"[" * 200_000), Status.BAD_ANSWER, 2),
    "no UTF-8": (Fault(200, b'{"tracks": "\xff\xfe"'), Status.BAD_ANSWER, 2),
    "huge": (Fault(200, b" " * 5_000_000), Status.BAD_ANSWER, 2),
    "elsewhere": (Fault(302, headers=(("Location", "/v1/elsewhere"),)), Status.BAD_ANSWER, 2),
    "not gzip": (Fault(200, HTML, headers=(("Content-Encoding", "gzip"),)), Status.BAD_ANSWER, 2),
    "cut": (Fault(200, b'{"tracks":', manner="cut"), Status.UNREACHABLE, 3),
    "closed": (Fault(manner="close"), Status.UNREACHABLE, 3),
    "silent": (Fault(manner="silent"), Status.TIMEOUT, 2),
    "drip": (Fault(200, HTML, manner="drip"), Status.TIMEOUT, 2),
    "drip in the head": (Fault(200, HTML, manner="drip headers"), Status.TIMEOUT, 2),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_of_the_search_has_its_status(
    server: SpotifyServer, provider: SpotifyProvider, name: str
) -> None:
    server.faults[SEARCH], status, calls = FAULTS[name]
    result = search(provider, seconds=0.6 if status is Status.TIMEOUT else 4.0)
    assert (result.status, result.calls, result.tracks) == (status, calls, ())
    assert result.detail
    assert ("Premium" in result.detail) == name.startswith("premium")
    wait = {"503 with a wait": 60, "429, error is a string": 45}.get(name)
    assert result.retry_at == (NOW + timedelta(seconds=wait) if wait else None)
    server.faults.clear()
    assert search(provider).status is Status.OK  # nothing of it lasts


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (INVALID_CLIENT, Status.AUTH),
        (Fault(400, b'["invalid_client"]'), Status.AUTH),
        (error(429, "Too many requests", Retry_After="7"), Status.RATE_LIMITED),
        (Fault(503, HTML, "text/html"), Status.UNREACHABLE),
        (Fault(200, HTML, "text/html"), Status.BAD_ANSWER),
        (Fault(200, b'{"access_token":"test-access-odd","expires_in":"x"}'), Status.BAD_ANSWER),
        (Fault(200, b'{"access_token":"test-access\\nodd","expires_in":9}'), Status.BAD_ANSWER),
        (Fault(manner="silent"), Status.TIMEOUT),
        (Fault(200, HTML, manner="drip"), Status.TIMEOUT),
    ],
)
def test_every_fault_of_the_token_has_its_status(
    server: SpotifyServer, provider: SpotifyProvider, fault: Fault, status: Status
) -> None:
    server.faults[TOKEN] = fault
    assert search(provider, seconds=0.6 if status is Status.TIMEOUT else 4.0).status is status


def test_wrong_credentials(server: SpotifyServer, clock: HalfVirtualClock) -> None:
    assert search(make(server.address, clock, "test-client-secret-wrong")).status is Status.AUTH
    assert search(make(server.address, clock, "test-client-secret-é")).status is Status.AUTH
    assert search(make(server.address, clock, " ")).status is Status.OFF


def test_nobody_listens(clock: HalfVirtualClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert search(make(address, clock)).status is Status.UNREACHABLE


def test_an_expired_token_is_renewed_once(server: SpotifyServer, provider: SpotifyProvider) -> None:
    search(provider)
    server.valid.clear()
    result = search(provider, TrackQuery("rock", "ja"))
    assert (result.status, result.calls, len(server.tokens)) == (Status.OK, 3, 2)


def test_one_fault_in_passing_is_not_seen(server: SpotifyServer, provider: SpotifyProvider) -> None:
    server.script[SEARCH] = [error(502, "Bad gateway")]
    assert search(provider).status is Status.OK


def test_what_was_found_before_a_fault_is_told(server: SpotifyServer, provider: SpotifyProvider) -> None:
    server.rows = [song(n, "jazz", "ja", "ゆらぎ灯", TODAY) for n in range(30)]
    server.script[SEARCH] = [None, Fault(manner="silent")]
    result = search(provider, seconds=1.0)
    assert (result.status, len(result.tracks), result.from_cache) == (Status.TIMEOUT, 10, False)


def test_a_deadline_that_is_over_sends_nothing(server: SpotifyServer, provider: SpotifyProvider) -> None:
    result = search(provider, seconds=-1.0)
    assert (result.status, result.calls, server.requests) == (Status.TIMEOUT, 0, [])


def test_threads_left_behind_are_few(server: SpotifyServer, provider: SpotifyProvider) -> None:
    search(provider)
    server.faults[SEARCH] = Fault(200, HTML, manner="drip headers")
    results = [search(provider, TrackQuery("rock", "ja"), 0.15) for _ in range(LATE_MAX + 3)]
    assert {result.status for result in results} == {Status.TIMEOUT}
    assert [result.calls for result in results] == [1] * LATE_MAX + [0] * 3
    assert sum(thread.name == "spotify" for thread in threading.enumerate()) <= LATE_MAX + 2


def test_searches_at_once_each_keep_their_deadline(server: SpotifyServer, provider: SpotifyProvider) -> None:
    server.faults[SEARCH] = Fault(manner="silent")
    results: list[ProviderResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(search(provider, seconds=0.5))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2)
    assert [result.status for result in results] == [Status.TIMEOUT] * 3


def test_secrets_are_nowhere(
    server: SpotifyServer,
    provider: SpotifyProvider,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """spotipy's debug records hold the credentials, its error records whatever the server wrote, and its
    usual cache is a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in (None, "spotipy", "spotipy.client", "spotipy.oauth2", "urllib3", "dashboard"):
        caplog.set_level(logging.DEBUG, name)
    echo = error(400, "test-access-token-0 test-client-secret-93ae")
    faults = [None, *(fault for fault, status, _ in FAULTS.values() if status is not Status.TIMEOUT), echo]
    for number, fault in enumerate(faults):
        server.script[SEARCH] = [fault, fault]
        search(provider, TrackQuery("rock", LANGUAGES[number % 5]))
    server.faults[TOKEN] = echo
    server.valid.clear()
    search(provider, TrackQuery("pop"))
    written = [f"{record.getMessage()} {record.exc_info} {record.args!r}" for record in caplog.records]
    assert any("urllib3" in record.name for record in caplog.records)
    shown = [*written, repr(provider), str(vars(provider)), *capfd.readouterr()]
    assert not any(SECRETS.search(text) for text in shown)
    assert not list(tmp_path.iterdir())
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(provider)


def test_a_netrc_does_not_replace_the_token(
    server: SpotifyServer, provider: SpotifyProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """requests lets a machine's entry in ``.netrc`` overwrite any Authorization header."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert search(provider).status is Status.OK
