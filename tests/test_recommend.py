"""``overheard recommend`` and all providers together, over real HTTP to servers that answer as real ones."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dashboard.recommendations.choices import Choices
from dashboard.recommendations.command import GENRES
from dashboard.recommendations.engine import Session
from dashboard.recommendations.follower import Follower
from dashboard.recommendations.playlist import Filters
from dashboard.recommendations.providers import Providers, from_environment
from dashboard.recommendations.tracks import LANGUAGES, Range, Relaxed, Status, TrackQuery
from tests.fakes.faulty_server import EVERYWHERE, MovableClock
from tests.fakes.spotify_server import Fault, SpotifyServer, serving
from tests.fakes.youtube_server import GOOD_KEY, YouTubeServer
from tests.sounds import write
from tests.test_commands import refused

IDENTITY, SECRET = "test-client-id-4711", "test-client-secret-0815"


class Services:
    """Both servers, and the environment that names them."""

    def __init__(self, folder: Path, spotify: SpotifyServer, youtube: YouTubeServer) -> None:
        self.spotify, self.youtube = spotify, youtube
        self.clock = MovableClock()
        self.environment: Mapping[str, str] = {
            "SPOTIPY_CLIENT_ID": IDENTITY, "SPOTIPY_CLIENT_SECRET": SECRET, "YOUTUBE_API_KEY": GOOD_KEY,
            "OVERHEARD_SPOTIFY_URL": spotify.address, "OVERHEARD_YOUTUBE_URL": youtube.url,
            "XDG_DATA_HOME": str(folder),
        }  # fmt: skip

    def providers(self) -> Providers:
        return from_environment(self.clock, self.environment, seed=1, jitter=lambda: 0.0)


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("no_proxy", "*")
    youtube = YouTubeServer()
    with serving(IDENTITY, SECRET, MovableClock().now().date()) as spotify:
        yield Services(tmp_path, spotify, youtube)
    youtube.close()


def recommend(*words: str, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realtime.cli", "recommend", *words]
    return subprocess.run(
        command, env=os.environ | dict(environment), capture_output=True, text=True, timeout=60, check=False
    )


def test_every_combination_of_filters_has_songs_and_they_differ() -> None:
    """On the bundled list: 10 genres, 5 languages, 4 ranges; what was widened is named."""
    providers = from_environment(MovableClock(), {}, seed=1)
    lists = {}
    for genre in GENRES:
        for language in LANGUAGES:
            for age in Range:
                answer = providers.search_widening(TrackQuery(genre, language, age, limit=10))
                assert answer.tracks, (genre, language, age)
                if Relaxed.LANGUAGE not in answer.relaxed:
                    assert {track.language for track in answer.tracks} == {language}
                if age in (Range.WEEK, Range.MONTH):
                    assert Relaxed.RANGE in answer.relaxed
                    assert any("knows no songs of" in sentence for sentence in answer.sentences)
                lists[genre, language, age] = [track.title for track in answer.tracks]
    shown = {tuple(titles) for (_, _, age), titles in lists.items() if age is Range.ANY}
    assert len(shown) >= 49  # one cell holds no song and is widened


def test_live_providers_come_first_and_every_filter_changes_the_list(services: Services) -> None:
    providers = services.providers()
    assert providers.names == ("Spotify", "YouTube", "Overheard's own list")
    lists = set()
    for language in LANGUAGES:
        for age in (Range.WEEK, Range.YEAR):
            answer = providers.search(TrackQuery("jazz", language, age, limit=10))
            live = [track for track in answer.tracks if track.provider != "Overheard's own list"]
            assert {track.provider for track in live} == {"Spotify", "YouTube"}, answer.sentences
            assert answer.tracks[: len(live)] == tuple(live)
            lists.add(tuple(track.title for track in live))
    assert len(lists) == 10


def test_with_both_services_down_the_bundled_list_is_there_in_time(services: Services) -> None:
    services.youtube.faults[EVERYWHERE] = "hang"
    services.spotify.faults["/v1/search"] = Fault(503, b"{}")
    began = time.monotonic()
    answer = services.providers().search(TrackQuery("rock", "en", limit=10), seconds=1.5)
    assert time.monotonic() - began < 2.0
    assert {track.provider for track in answer.tracks} == {"Overheard's own list"}
    assert answer.results["YouTube"].status is Status.TIMEOUT
    assert len(answer.sentences) == 2


def test_no_secret_is_told_anywhere(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs at DEBUG, values, sentences, files, and what the command prints; also when refused."""
    secrets = (IDENTITY, SECRET, GOOD_KEY)
    told: list[object] = []
    with caplog.at_level(logging.DEBUG):
        for refuse in (False, True):
            if refuse:
                services.spotify.faults["/api/token"] = Fault(400, b'{"error": "invalid_client"}')
                services.youtube.faults[EVERYWHERE] = "html"
            providers = services.providers()
            told += [repr(providers.search(TrackQuery("jazz", limit=10))), repr(providers), vars(providers)]
    for words in (("--json",), ()):
        done = recommend("--genre", "jazz", *words, environment=services.environment)
        told += [done.stdout, done.stderr]
    told += [record.getMessage() for record in caplog.records]
    told += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not [text for text in told if secret in str(text)]


def test_the_command_prints_a_line_of_json_for_each_song(services: Services) -> None:
    words = ("--genre", "jazz", "--language", "ja", "--range", "month", "--count", "5", "--json")
    done = recommend(*words, environment=services.environment)
    assert (done.returncode, done.stderr) == (0, "")
    songs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(songs) == 5
    for song in songs:
        assert list(song) == ["title", "artists", "url", "provider", "published", "language", "relaxed"]
        assert song["url"].startswith("https://")


def test_songs_like_a_file(tmp_path: Path) -> None:
    from realtime.clock import SystemClock
    from realtime.sources import demonstration

    source, samples = demonstration(0.0, SystemClock()), []
    for block in source.blocks():
        samples.append(block.samples)
        if block.position > 12 * source.sample_rate:
            source.close()
    import numpy as np

    music = write(tmp_path / "music.wav", np.concatenate(samples), source.sample_rate)
    done = recommend("--file", str(music), "--count", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("music.wav sounds like ")
    assert done.stdout.count("https://open.spotify.com/search/") == 3
    assert "does not exist" in refused("recommend", "--file", str(tmp_path / "missing.wav"))
    assert "--count is 0" in refused("recommend", "--genre", "jazz", "--count", "0")


class Heard:
    """One estimate, as the feed keeps it."""

    def __init__(self, at: float, genre: str, state: str = "LISTENING") -> None:
        self.at = at
        rest = {other: 0.02 / 9 for other in GENRES}
        self.estimate: Mapping[str, Any] = {"probabilities": rest | {genre: 0.98}, "state": state}


def settle(follower: Follower) -> None:
    """Wait until every search has come back."""
    for thread in threading.enumerate():
        if thread.name == "songs":
            thread.join(20)
    follower.look([], Filters())


def test_a_reader_gets_songs_of_what_is_heard_and_none_before(services: Services) -> None:
    follower = Follower(services.providers(), Session(choices=Choices(None)), services.clock)
    assert not follower.look([Heard(second, "jazz") for second in range(20)], Filters()).rows
    follower.look([Heard(second, "jazz") for second in range(20, 60)], Filters())
    settle(follower)
    playlist = follower.look([], Filters())
    assert {row.genre for row in playlist.rows} == {"jazz"}
    assert len({row.key for row in playlist.rows}) == len(playlist.rows) == follower.session.settings.rows
    assert follower.calls >= 3
    first = playlist.rows[0]
    follower.act("ban", first.key)
    assert first.key not in {row.key for row in follower.session.playlist.rows}
    liked = follower.session.playlist.rows[0].key
    follower.act("like", liked)
    follower.act("nothing of the kind", liked)
    follower.act("skip", "a song that is not there")
    assert follower.session.playlist.rows[0].liked
    follower.act("like", liked)
    assert not follower.session.playlist.rows[0].liked


def test_a_search_that_breaks_costs_the_list_nothing(services: Services) -> None:
    class Broken(Providers):
        def search(self, query: TrackQuery, seconds: float = 4.0) -> Any:
            raise ZeroDivisionError("oops")

    follower = Follower(Broken([], services.providers()._bundled, services.clock), Session(), services.clock)
    follower.look([Heard(second, "jazz") for second in range(60)], Filters())
    settle(follower)
    assert follower.look([], Filters()).rows == ()
