"""Searches through the Spotify provider. Deadline, secrets and message of each result are checked."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime

from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.providers.background import BackgroundProvider
from dashboard.recommendations.providers.base import ProviderResult, SongProvider
from dashboard.recommendations.providers.spotify.client import SpotifyProvider
from tests.support.waiting import at_most

CLIENT_ID = "test-client-id-5f1c"
CLIENT_SECRET = "test-client-secret-93ae"
SECRETS = re.compile("test-client|test-access|" + base64.b64encode(b"test-client-id").decode()[:12])
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
SEARCH, TOKEN = "/v1/search", "/api/token"
JAZZ = TrackQuery("jazz", "ja")
TOLERANCE_SECONDS = 0.5


class HalfVirtualClock:
    """Clock with real seconds, because the tests use real sockets, and a date that tests set."""

    def __init__(self) -> None:
        self.time = NOW
        self.moved_seconds = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.moved_seconds

    def now(self) -> datetime:
        return self.time


def make_provider(address: str, clock: HalfVirtualClock, secret: str = CLIENT_SECRET) -> BackgroundProvider:
    provider = SpotifyProvider(
        CLIENT_ID, secret, clock, base_url=address, token_url=address + TOKEN, jitter=lambda: 0.5
    )
    return BackgroundProvider(provider, clock)


def search(provider: SongProvider, query: TrackQuery = JAZZ, seconds: float = 4.0) -> ProviderResult:
    """Search, and check the result against the contract."""
    began = time.monotonic()
    with at_most(max(seconds, 0.0) + TOLERANCE_SECONDS):
        result = provider.search(query, began + seconds)
    assert not SECRETS.search(repr(result))
    assert not result.detail or re.fullmatch(r"[a-z][^\n]+[^.\n]", result.detail)
    return result
