"""``overheard recommend`` with all providers over real HTTP, against strict fakes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.cli import recommend
from dashboard.recommendations.domain.tracks import TrackQuery
from dashboard.recommendations.engine.candidates import spread_artists
from dashboard.recommendations.providers.base import Status
from dashboard.recommendations.providers.daily_quota import DailyQuota
from dashboard.recommendations.providers.registry import WallClock, build_providers
from tests.support.audio import write
from tests.support.cli import main_error, run_command
from tests.support.services.all import Services, running
from tests.support.services.faulty_http import EVERYWHERE
from tests.support.services.spotify import Fault
from tests.support.waiting import at_most


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as started:
        yield started


def test_with_both_services_down_songs_of_the_bundled_list_come_in_time(services: Services) -> None:
    services.youtube.faults[EVERYWHERE] = "hang"
    services.spotify.faults["/v1/search"] = Fault(503, b"{}")
    with at_most(2):
        found = services.providers().search(TrackQuery("rock", "en", limit=10), seconds=1.5)
    assert {track.provider for track in found.tracks} == {"Overheard's own list"}
    assert found.results["YouTube"].status is Status.TIMEOUT
    assert len(found.messages) == 2


def test_the_command_may_use_the_last_searches_of_the_day(services: Services) -> None:
    quota = DailyQuota(services.data_folder / "youtube-budget.sqlite", WallClock())
    while quota.left > 1:
        quota.take()
    done = run_command("recommend", "--genre", "jazz", "--json", environment=services.environment)
    assert "YouTube" in {json.loads(line)["provider"] for line in done.stdout.splitlines()}
    assert quota.left == 0


def test_the_command_prints_a_line_of_json_for_each_song(services: Services) -> None:
    arguments = ("--genre", "jazz", "--language", "ja", "--range", "month", "--count", "5", "--json")
    done = run_command("recommend", *arguments, environment=services.environment)
    assert (done.returncode, done.stderr) == (0, "")
    songs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(songs) == 5
    for song in songs:
        assert list(song) == ["title", "artists", "url", "provider", "published", "language", "relaxed"]
        assert song["url"].startswith("https://")


def offline(*arguments: str) -> list[str]:
    """Return the lines of the command without services."""
    done = run_command("recommend", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_text_says_how_many_songs_are_missing_and_where_others_are() -> None:
    """Regression: songs in other languages were printed without a word."""
    lines = offline("--genre", "country", "--language", "ru", "--range", "1950s")
    assert [line for line in lines if "https://" in line] == []
    (shortage,) = [line for line in lines if "0 of 10 songs" in line]
    assert re.search(r"Without --language there are \d+ more", shortage)
    (enough,) = [offline("--genre", "rock", "--language", "en", "--range", "1970s", "--count", "3")]
    assert sum(line.startswith("    https://") for line in enough) == 3
    assert not any(" of 3 songs" in line for line in enough)
    for line in enough[::2]:
        assert re.search(r", 197\d$", line), "the range is a decade"


def test_no_artist_comes_twice_in_ten_songs() -> None:
    """Regression: three of seven songs were by one artist."""
    lines = offline("--genre", "jazz", "--language", "ja", "--count", "20")
    artists = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    for start in range(len(artists)):
        window = artists[start : start + 10]
        assert len(set(window)) == len(window)


def test_all_songs_that_fit_are_searched_before_any_is_called_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regression: only the first 50 were searched, and one of them may repeat an artist too soon."""
    query, clock = TrackQuery("pop", "ja", limit=50), WallClock()

    def is_short(seed: int) -> bool:
        return len(spread_artists(build_providers(clock, {}, seed=seed).search(query).tracks, 50)) < 50

    seed = next(filter(is_short, range(100)))
    monkeypatch.setattr(recommend, "build_providers", lambda clock: build_providers(clock, {}, seed=seed))
    assert recommend.command(["--genre", "pop", "--language", "ja", "--count", "50"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("https://") == 50
    assert "no others" not in printed


def test_a_service_that_fails_may_know_further_songs(services: Services) -> None:
    """Regression: after a failed search, the text said that no others fit."""
    services.youtube.faults[EVERYWHERE] = "cut"
    services.spotify.faults["/v1/search"] = Fault(503, b"{}")
    arguments = ("--genre", "country", "--language", "zh")
    done = run_command("recommend", *arguments, environment=services.environment)
    assert done.returncode == 0, done.stderr
    assert "1 of 10 songs: no others were found" in done.stdout
    assert any("of 10 songs: no others fit" in line for line in offline(*arguments))


def test_titles_are_links_on_a_terminal_only() -> None:
    import pty

    arguments = [sys.executable, "-P", "-m", "realtime.cli", "recommend", "--genre", "pop", "--count", "1"]
    controller, terminal = pty.openpty()
    with open(controller, "rb", closefd=True) as screen:
        done = subprocess.run(arguments, stdout=terminal, stderr=subprocess.PIPE, check=True)
        os.close(terminal)
        shown = screen.read1(100_000)
    assert done.stderr == b""
    assert re.search(rb"\x1b]8;;https://[!-~]+\x1b\\[^\x1b]+\x1b]8;;\x1b\\", shown)
    assert "\x1b" not in "\n".join(offline("--genre", "pop", "--count", "1"))


def test_songs_like_a_file(tmp_path: Path) -> None:
    from realtime.clock import SystemClock
    from realtime.sources.file import open_demo

    source, samples = open_demo(0.0, SystemClock()), []
    for block in source.blocks():
        samples.append(block.samples)
        if block.position > 12 * source.sample_rate:
            source.close()
    import numpy as np

    music = write(tmp_path / "music.wav", np.concatenate(samples), source.sample_rate)
    done = run_command("recommend", "--file", str(music), "--count", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("music.wav sounds like ")
    assert done.stdout.count("https://open.spotify.com/search/") == 3
    assert "does not exist" in main_error("recommend", "--file", str(tmp_path / "missing.wav"))
    assert "--count is 0" in main_error("recommend", "--genre", "jazz", "--count", "0")
