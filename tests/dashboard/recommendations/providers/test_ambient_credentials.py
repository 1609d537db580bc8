"""Neither song services nor proxies receive credentials from the files and environment of the user."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.base import ProviderResult, RemoteProvider, Status
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.itunes import ITunesProvider
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from dashboard.recommendations.providers.youtube.client import YouTubeProvider
from tests.support.proxies import RecordedProxy, recording_proxy
from tests.support.services.all import Services, running
from tests.support.services.spotify_searches import CLIENT_ID, CLIENT_SECRET, TOKEN
from tests.support.services.youtube import GOOD_KEY

PASSWORD = "letmein"


@pytest.fixture(autouse=True)
def _ambient_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file ``.netrc`` whose default entry holds for every server."""
    file = tmp_path / ".netrc"
    file.write_text(f"default login someone password {PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(file))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as services:
        yield services


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedProxy]:
    with recording_proxy() as proxy:
        use_proxy(monkeypatch, proxy.port)
        yield proxy


def use_proxy(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://me:{PASSWORD}@127.0.0.1:{port}")


def itunes(services: Services, address: str = "") -> RemoteProvider:
    return ITunesProvider(services.clock, base_url=address or services.itunes.url)


def youtube(services: Services, address: str = "") -> RemoteProvider:
    quota = DailyQuota(services.data_folder / "quota.sqlite", services.clock)
    return YouTubeProvider(GOOD_KEY, services.clock, quota, base_url=address or services.youtube.url)


def spotify(services: Services, address: str = "") -> RemoteProvider:
    base = address or services.spotify.address
    return SpotifyProvider(CLIENT_ID, CLIENT_SECRET, services.clock, base_url=base, token_url=base + TOKEN)


MAKERS = pytest.mark.parametrize("make", [itunes, youtube, spotify])
Maker = Callable[..., RemoteProvider]


def search(provider: RemoteProvider, services: Services) -> ProviderResult:
    return provider.search(TrackQuery("jazz", "en"), services.clock.monotonic() + 8)


@pytest.mark.parametrize("make", [itunes, youtube])
def test_services_are_not_sent_the_users_password(make: Maker, services: Services) -> None:
    """Regression: iTunes and YouTube received the password of the default entry of ``.netrc``."""
    assert search(make(services), services).status in (Status.OK, Status.EMPTY)
    server = services.itunes if make is itunes else services.youtube
    assert server.asked
    assert not any("authorization" in map(str.lower, asked.headers) for asked in server.asked)


@MAKERS
def test_services_of_this_machine_use_no_proxy(make: Maker, services: Services, proxy: RecordedProxy) -> None:
    assert search(make(services), services).status in (Status.OK, Status.EMPTY)
    assert proxy.requests == []


@MAKERS
def test_the_proxy_gets_requests_of_other_hosts_without_credentials(
    make: Maker, services: Services, proxy: RecordedProxy
) -> None:
    search(make(services, "http://songs.example"), services)
    assert proxy.requests
    for line, headers, _ in proxy.requests:
        assert " http://songs.example/" in line
        assert "Proxy-Authorization" not in headers
        assert PASSWORD not in str(headers)
        assert make is spotify or "Authorization" not in headers


@MAKERS
def test_a_proxy_that_does_not_answer_is_named(
    make: Maker, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening, so connections are refused
        use_proxy(monkeypatch, taken.getsockname()[1])
        for scheme in ("http", "https"):
            found = search(make(services, f"{scheme}://songs.example"), services)
            assert found.status is Status.UNREACHABLE
            assert found.detail == f"cannot be reached through the proxy 127.0.0.1:{taken.getsockname()[1]}"
