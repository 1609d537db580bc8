"""Fake song services on the loopback, their environment variables, and estimates for the playlist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.translator import Translator
from dashboard.recommendations.engine.feedback import ArtistFeedback, FeedbackStore
from dashboard.recommendations.engine.listening_profile import ListeningProfile
from dashboard.recommendations.engine.playlist import Filters, Playlist
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.providers.base import Clock
from dashboard.recommendations.providers.registry import ProviderGroup, build_providers
from dashboard.recommendations.service import ProviderReport, RecommendationService
from dashboard.viewmodels.songs import Situation, song_data
from models.manifest import ModelManifest
from realtime.protocol.estimate import StreamState
from tests.support.protocol import estimate_message
from tests.support.services.faulty_http import MovableClock
from tests.support.services.itunes import ITunesServer
from tests.support.services.spotify import SpotifyServer, spotify_server
from tests.support.services.spotify_searches import CLIENT_ID, CLIENT_SECRET
from tests.support.services.youtube import GOOD_KEY, YouTubeServer


class Services:
    """Fake Spotify, YouTube and iTunes servers, each with its own faults."""

    def __init__(self, folder: Path, spotify: SpotifyServer, youtube: YouTubeServer, itunes: ITunesServer):
        self.spotify, self.youtube, self.itunes = spotify, youtube, itunes
        self.clock = MovableClock()
        self.data_folder = folder / "overheard"
        self.environment: dict[str, str] = {
            "SPOTIPY_CLIENT_ID": CLIENT_ID, "SPOTIPY_CLIENT_SECRET": CLIENT_SECRET,
            "YOUTUBE_API_KEY": GOOD_KEY,
            "SPOTIFY_URL": spotify.address, "YOUTUBE_URL": youtube.url,
            "ITUNES_URL": itunes.url, "XDG_DATA_HOME": str(folder),
        }  # fmt: skip

    def providers(self) -> ProviderGroup:
        return build_providers(
            self.clock, self.environment, folder=self.data_folder, seed=1, jitter=lambda: 0.0
        )

    def recommendations(self) -> RecommendationService:
        return RecommendationService(
            self.providers(), RollingPlaylist(feedback=FeedbackStore(None)), self.clock
        )

    def repair(self) -> None:
        """Remove all faults."""
        self.spotify.faults.clear()
        self.spotify.script.clear()
        for server in (self.youtube, self.itunes):
            server.faults.clear()
            server.retry_after = ""
        self.youtube.mode, self.youtube.used = "", 0


@contextmanager
def running(folder: Path) -> Iterator[Services]:
    """Run the servers until the end of the block."""
    import spotipy  # noqa: F401  its first import may take longer than a test's deadline

    clock, youtube, itunes = MovableClock(), YouTubeServer(), ITunesServer(a_minute=10_000)
    try:
        with spotify_server(CLIENT_ID, CLIENT_SECRET, clock.now().date()) as spotify:
            yield Services(folder, spotify, youtube, itunes)
    finally:
        youtube.close()
        itunes.close()


class TimedEstimate:
    """Estimate with its time, as the feed stores it: of one genre, or of several in equal parts."""

    def __init__(self, at: float, *genres: str, state: str = "LISTENING") -> None:
        self.at = at
        probabilities = dict.fromkeys(ModelManifest.load().labels, 0.02 / 10)
        for genre in genres:
            probabilities[genre] += 0.98 / len(genres)
        self.estimate = estimate_message(
            genres[0] if genres else None, probabilities=probabilities, state=state
        ).estimate


def minute_of(*genres: str, start: int = 0) -> list[TimedEstimate]:
    """Return one estimate a second for a minute of these genres."""
    return [TimedEstimate(second, *genres) for second in range(start, start + 60)]


def finish_searches(service: RecommendationService, filters: Filters | None = None) -> Playlist:
    """Update the playlist until no search runs or waits, and return it."""
    while True:
        if service._running is not None:
            service._running[1].wait(20)
        playlist = service.update([], filters or service.rolling_playlist.filters)
        if service._running is None:
            return playlist


def page_data(
    playlist: Playlist,
    reports: Mapping[str, ProviderReport | None],
    clock: Clock,
    choices: Sequence[ArtistFeedback] = (),
) -> dict[str, Any]:
    """Return the data that the page sends to the browser."""
    snapshot = Snapshot(connected=True, state=StreamState.LISTENING, estimate=None)
    return song_data(
        playlist, Situation(snapshot, ListeningProfile(), reports, clock.now()), choices, Translator("en")
    )
