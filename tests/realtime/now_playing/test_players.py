"""Text of songs, choice between players, and players of systems that are polled."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.now_playing import Player, Song
from realtime.now_playing.macos import parse_answers
from realtime.now_playing.players import clean_song, select_song
from realtime.now_playing.polling import PlayingSong, poll_players
from realtime.now_playing.windows import read_sessions


@pytest.mark.parametrize(
    ("title", "artists", "line"),
    [
        ("So What", ["Miles Davis"], "Miles Davis - So What"),
        ("紙飛行機", ["ゆうなぎ", " ", "電波"], "ゆうなぎ, 電波 - 紙飛行機"),
        (" So\tWhat\x1b[2J ", [], "So What [2J"),
        ("x" * 250, ["y" * 250], "y" * 199 + "…"),
        ("So What", (f"{number}" for number in range(10**9)), "0, 1, 2, 3, 4, 5, 6, 7 - So What"),
    ],
)
def test_a_song_is_shown_as_a_station_would_name_it(title: str, artists: Iterable[str], line: str) -> None:
    song = clean_song(title, artists)
    assert song is not None
    assert song.line.startswith(line[:-1]) if line.endswith("…") else song.line == line
    assert max(map(len, (song.title, song.artist, song.line))) <= 200


def test_a_player_without_a_title_has_no_song() -> None:
    assert clean_song(" \x00 ", ["Miles Davis"]) is None


@pytest.mark.parametrize(
    ("names", "application", "is_heard"),
    [
        (("Spotify", "spotify"), "spotify", True),
        (("VLC media player", "vlc"), "VLC media player (LibVLC 3.0.21)", True),
        (("Mozilla Firefox", "firefox"), "Firefox", True),
        (("Google Chrome", "chromium"), "Google Chrome", True),
        (("mpv Media Player", "mpv"), "mpv", True),
        (("Spotify", "spotify"), "Firefox", False),
        (("tv",), "mpv native tv", False),
        (("Mozilla Firefox", "firefox"), "R", False),
        (("R", "radio"), "R", True),
        ((), "Firefox", False),
        ((), "", True),
    ],
)
def test_an_application_hears_the_player_with_its_name(
    names: tuple[str, ...], application: str, is_heard: bool
) -> None:
    song = Song("So What")
    assert select_song([Player(names, song)], application) == (song if is_heard else None)


def test_the_song_that_changed_last_is_selected() -> None:
    first, second = Player(("a",), Song("1"), 7), Player(("b",), Song("2"), 8)
    assert select_song([second, first, Player(("c",), None, 9)]) == Song("2")
    assert select_song([Player(("c",), None, 9)]) is None
    assert select_song([]) is None


def test_a_polled_player_whose_song_changes_is_the_last_one() -> None:
    vlc, music, green = Song("So What"), Song("Freddie Freeloader"), Song("Blue in Green")
    answers: list[list[PlayingSong]] = [
        [(("VLC",), vlc)],
        [(("VLC",), vlc), (("Music",), music)],
        [(("VLC",), green), (("Music",), music)],
        [(("Music",), music)],
        [],
        [(("Music",), music), (("VLC",), vlc)],  # both at once: the first one is the system's own choice
    ]
    closed = threading.Event()
    selected = []

    def report(players: tuple[Player, ...]) -> None:
        selected.append(select_song(players))
        if len(selected) == len(answers):
            closed.set()

    pending = iter(answers)
    poll_players(lambda: next(pending), 0.0, report, closed)
    assert selected == [vlc, music, green, music, None, music]


def session(name: str, status: int, **properties: Any) -> SimpleNamespace:
    """Media session of Windows, as the projection of its API shows the session."""
    properties = {"artist": "", "album_artist": "", "title": ""} | properties
    operation = SimpleNamespace(get=lambda: SimpleNamespace(**properties))
    return SimpleNamespace(
        source_app_user_model_id=name,
        get_playback_info=lambda: SimpleNamespace(playback_status=status),
        try_get_media_properties_async=lambda: operation,
    )


def test_the_sessions_of_windows_as_recorded_answers() -> None:
    paused = session("chrome", 5, title="A video", artist="Somebody")
    other = session("msedge", 4, title="Title", artist="", album_artist="Various")
    current = session("Spotify.exe", 4, title="So What", artist="Miles Davis")
    broken = session("broken", 4)
    broken.try_get_media_properties_async = lambda: SimpleNamespace(get=lambda: None)
    manager = SimpleNamespace(
        get_current_session=lambda: current, get_sessions=lambda: [paused, other, current, broken]
    )
    assert list(read_sessions(manager)) == [
        (("Spotify.exe",), Song("So What", "Miles Davis")),
        (("msedge",), Song("Title", "Various")),
    ]
    idle = SimpleNamespace(get_current_session=lambda: None, get_sessions=lambda: [])
    assert list(read_sessions(idle)) == []


def test_the_answers_of_macos_as_recorded() -> None:
    output = "Music\x1fSo What\x1fMiles Davis\nSpotify\x1fLine\u2028break\x1f\n\nMusic\x1fhalf an answer\n\n"
    assert list(parse_answers(output)) == [
        (("Music",), Song("So What", "Miles Davis")),
        (("Spotify",), Song("Line break")),
    ]
    assert list(parse_answers("\n")) == []
