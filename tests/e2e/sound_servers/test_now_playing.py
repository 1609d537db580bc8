"""Titles from a player process, over a real session bus, to the websocket and the history."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.audio import tone, write
from tests.support.media_players import FakePlayer, session_bus
from tests.support.sound_servers import ListenProcess, SoundServer, run_listen, sound_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

RATE = 48_000


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[SoundServer]:
    """PulseAudio server on which ``paplay`` plays a tone, in an environment with a session bus."""
    with sound_server(tmp_path, "pulseaudio") as started, session_bus(tmp_path) as address:
        started.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        started.play(write(tmp_path / "tone.wav", tone(440, 120, RATE), RATE))
        yield started


@pytest.fixture
def player(pulse: SoundServer) -> Iterator[FakePlayer]:
    with FakePlayer(pulse.environment["DBUS_SESSION_BUS_ADDRESS"], "paplay") as started:
        yield started


def title(overheard: ListenProcess) -> dict[str, Any]:
    return overheard.until(lambda message: message["type"] == "title")


def test_the_song_of_a_player_is_on_the_websocket_and_in_the_history(
    pulse: SoundServer, player: FakePlayer, tmp_path: Path
) -> None:
    history = tmp_path / "history.sqlite"
    with run_listen(pulse.environment, "--source", "system", "--history", str(history)) as overheard:
        player.play("So What", "Miles Davis")
        message = title(overheard)
        assert message["title"] == "Miles Davis - So What"
        assert (message["artist"], message["song"]) == ("Miles Davis", "So What")
        changed = time.perf_counter()
        player.play("Blue in Green", "Miles Davis")
        assert title(overheard)["song"] == "Blue in Green"
        print(f"change to message: {(time.perf_counter() - changed) * 1000:.0f} ms")
        player.play("Blue in Green", "Miles Davis", status="Paused")
        assert title(overheard)["title"] == ""
    command = [
        sys.executable,
        "-m",
        "realtime.cli",
        "history",
        "--session",
        "1",
        "--file",
        str(history),
        "--json",
    ]
    listed = json.loads(pulse.run(*command))
    titles = [each["detail"] for each in listed["events"] if each["kind"] == "title"]
    assert titles == ["Miles Davis - So What", "Miles Davis - Blue in Green", ""]


def test_an_application_has_the_titles_of_its_own_player(pulse: SoundServer, player: FakePlayer) -> None:
    address = pulse.environment["DBUS_SESSION_BUS_ADDRESS"]
    with FakePlayer(address, "firefox.instance_1_7") as other:
        player.play("So What", "Miles Davis")
        other.play("A video")
        with run_listen(pulse.environment, "--source", "system:paplay") as overheard:
            assert overheard.seen[0]["source"] == "system audio (application paplay)"
            known = overheard.seen[0]["title"]  # if the song was read before the connection was made
            assert (known or title(overheard)["title"]) == "Miles Davis - So What"


@pytest.mark.parametrize(
    "arguments", [("--source", "system", "--no-now-playing"), ("--source", "mic")], ids=["off", "microphone"]
)
def test_no_title_is_reported_if_titles_are_off_or_a_room_is_heard(
    pulse: SoundServer, player: FakePlayer, arguments: tuple[str, ...]
) -> None:
    pulse.run("pactl", "load-module", "module-remap-source", "master=speakers.monitor", "source_name=usb_mic")
    player.play("So What", "Miles Davis")
    with run_listen(pulse.environment, *arguments) as overheard:
        for _ in range(2):
            overheard.until(lambda message: message["type"] == "estimate")
        assert "title" not in {message["type"] for message in overheard.seen}
        assert overheard.seen[0]["title"] == ""
