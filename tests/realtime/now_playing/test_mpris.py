"""Songs of media players on a real session bus: changes, faults, and floods."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from models.common.text import MAX_LABEL_CHARACTERS
from realtime.now_playing import Song, SongWatcher, watch_songs
from tests.support.media_players import FakePlayer, session_bus
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a session bus, which is that of the environment."""
    with session_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def watch() -> Iterator[Callable[..., SongWatcher]]:
    """Function that starts a watcher, which is closed after the test."""
    watchers: list[SongWatcher] = []

    def start(application: str = "") -> SongWatcher:
        watchers.append(watch_songs(application))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.close()


Watch = Callable[[], SongWatcher]


def wait_for(watcher: SongWatcher, song: Song | None) -> None:
    """Wait until the watcher has a song."""
    wait_until(lambda: watcher.song == song, 10)


def test_the_song_of_a_player_is_known_whether_the_player_or_the_watcher_comes_first(
    bus: str, watch: Watch
) -> None:
    early = watch()
    with FakePlayer(bus, "vlc") as player:
        player.play("So What", "Miles Davis", "John Coltrane")
        wait_for(early, Song("So What", "Miles Davis, John Coltrane"))
        wait_for(watch(), Song("So What", "Miles Davis, John Coltrane"))
        player.play("Blue in Green", "Miles Davis")
        wait_for(early, Song("Blue in Green", "Miles Davis"))
    wait_for(early, None)


def test_a_closed_watcher_ends_its_thread(bus: str, watch: Watch) -> None:
    before = set(threading.enumerate())
    with FakePlayer(bus, "vlc") as player:
        player.play("So What")
        watcher = watch()
        wait_for(watcher, Song("So What"))
        started = set(threading.enumerate()) - before
        assert started
        watcher.close()
        wait_until(lambda: not any(thread.is_alive() for thread in started))


@pytest.mark.parametrize("status", ["Paused", "Stopped"])
def test_a_player_that_does_not_play_has_no_song(bus: str, watch: Watch, status: str) -> None:
    watcher = watch()
    with FakePlayer(bus, "vlc") as player:
        player.play("So What")
        wait_for(watcher, Song("So What"))
        player.play("So What", status=status)
        wait_for(watcher, None)


def test_a_change_is_read_if_its_signal_has_no_values(bus: str, watch: Watch) -> None:
    watcher = watch()
    with FakePlayer(bus, "vlc") as player:
        player.play("So What", silently=True)
        wait_for(watcher, Song("So What"))
        player.play("Blue in Green", silently=True)
        wait_for(watcher, Song("Blue in Green"))


def test_of_several_players_the_last_one_that_changed_counts(bus: str, watch: Watch) -> None:
    watcher = watch()
    with FakePlayer(bus, "vlc") as first, FakePlayer(bus, "spotify") as second:
        first.play("So What")
        wait_for(watcher, Song("So What"))
        second.play("Freddie Freeloader")
        wait_for(watcher, Song("Freddie Freeloader"))
        second.play("Freddie Freeloader", status="Paused")
        wait_for(watcher, Song("So What"))


def test_an_application_has_the_songs_of_its_own_player(bus: str, watch: Callable[..., SongWatcher]) -> None:
    everything, vlc, other = watch(), watch("VLC media player (LibVLC 3.0.21)"), watch("Firefox")
    with FakePlayer(bus, "vlc", "vlc.instance7") as first, FakePlayer(bus, "firefox.instance_1_2") as second:
        first.play("So What")
        wait_for(vlc, Song("So What"))
        second.play("Blue in Green")
        wait_for(everything, Song("Blue in Green"))
        wait_for(other, Song("Blue in Green"))
        assert vlc.song == Song("So What")


def test_a_player_that_repeats_others_is_left_out(bus: str, watch: Watch) -> None:
    watcher = watch()
    with FakePlayer(bus, "playerctld") as proxy, FakePlayer(bus, "vlc") as player:
        player.play("So What")
        wait_for(watcher, Song("So What"))
        proxy.play("An older song")
        player.play("Blue in Green")
        wait_for(watcher, Song("Blue in Green"))
        player.kill()
        wait_for(watcher, None)


def test_a_player_that_hangs_delays_no_other_player(bus: str, watch: Watch) -> None:
    with FakePlayer(bus, "hanging") as hanging, FakePlayer(bus, "vlc") as player:
        hanging.command(fault="hang")
        watcher = watch()
        player.play("So What")
        wait_for(watcher, Song("So What"))
        player.play("Blue in Green", silently=True)
        wait_for(watcher, Song("Blue in Green"))


def test_a_player_that_sends_nonsense_disturbs_no_other_player(
    bus: str, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watcher = watch()
    with FakePlayer(bus, "broken") as broken, FakePlayer(bus, "vlc") as player:
        broken.play("A song")
        wait_for(watcher, Song("A song"))
        broken.command(fault="nonsense")
        player.play("So What")
        wait_for(watcher, Song("So What"))
        player.kill()
        wait_for(watcher, None)
    assert not caplog.records, "the connection was lost"


def test_long_and_hostile_texts_are_cut_and_cleaned(bus: str, watch: Watch) -> None:
    watcher = watch()
    with FakePlayer(bus, "vlc") as player:
        player.play("a" * 1_000_000, *["b" * 10_000] * 100)
        wait_until(lambda: watcher.song is not None)
        song = watcher.song
        assert song is not None
        assert song.title == "a" * (MAX_LABEL_CHARACTERS - 1) + "…"
        assert len(song.artist) == len(song.line) == MAX_LABEL_CHARACTERS
        player.play("\x1b[31mred\u202e\nline")
        wait_for(watcher, Song("[31mred line"))


def test_a_title_of_9_mb_costs_the_connection_and_one_line(
    bus: str, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with FakePlayer(bus, "vlc") as player, FakePlayer(bus, "large") as large:
        player.play("So What")
        watcher = watch()
        wait_for(watcher, Song("So What"))
        large.play("a" * 9_000_000)
        wait_until(lambda: "a message on the session bus is longer than 8,388,608 bytes" in caplog.text)
        large.kill()
        wait_for(watcher, Song("So What"))
        assert len(caplog.records) == 1


def test_a_player_that_floods_the_bus_costs_the_connection_and_one_line(
    bus: str, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watcher = watch()
    with FakePlayer(bus, "vlc") as player:
        player.play("So What")
        wait_for(watcher, Song("So What"))
        player.command(fault="flood", count=5_000)
        wait_until(lambda: "sends more than 500 messages a second" in caplog.text)
        wait_for(watcher, Song("So What"))
        assert len(caplog.records) == 1


def test_a_bus_that_ends_and_comes_back_is_used_again(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    watcher = watch()
    wait_until(lambda: "no titles of media players: " in caplog.text)
    for title in ("So What", "Blue in Green"):
        with ExitStack() as after_the_bus:
            with session_bus(tmp_path) as address:
                player = after_the_bus.enter_context(FakePlayer(address, "vlc"))
                player.play(title)
                wait_for(watcher, Song(title))
            wait_for(watcher, None)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "there is no session bus (DBUS_SESSION_BUS_ADDRESS is not set)"),
        ("nonsense", "DBUS_SESSION_BUS_ADDRESS names no Unix socket: nonsense"),
        (
            "tcp:host=127.0.0.1,port=1",
            "DBUS_SESSION_BUS_ADDRESS names no Unix socket: tcp:host=127.0.0.1,port=1",
        ),
    ],
)
def test_without_a_session_bus_there_is_one_line(
    address: str,
    reason: str,
    watch: Watch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    watcher = watch()
    wait_until(lambda: caplog.records)
    assert [record.getMessage() for record in caplog.records] == [f"no titles of media players: {reason}"]
    assert watcher.song is None


def test_a_bus_that_never_answers_holds_nothing_up(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/bus")
        silent.listen()
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        watcher = watch()
        wait_until(lambda: caplog.records)
        assert [record.getMessage() for record in caplog.records] == ["no titles of media players: timed out"]
        assert watcher.song is None
