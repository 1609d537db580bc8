"""Fake Spotify server and a provider that searches it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.recommendations.providers.background import BackgroundProvider
from tests.support.services.spotify import SpotifyServer, spotify_server
from tests.support.services.spotify_searches import (
    CLIENT_ID,
    CLIENT_SECRET,
    TODAY,
    HalfVirtualClock,
    make_provider,
)


@pytest.fixture
def server() -> Iterator[SpotifyServer]:
    with spotify_server(CLIENT_ID, CLIENT_SECRET, TODAY) as running:
        yield running


@pytest.fixture
def clock() -> HalfVirtualClock:
    return HalfVirtualClock()


@pytest.fixture
def provider(server: SpotifyServer, clock: HalfVirtualClock) -> BackgroundProvider:
    return make_provider(server.address, clock)
