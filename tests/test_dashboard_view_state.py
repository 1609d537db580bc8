from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from dashboard.feed import Snapshot
from dashboard.recommendations import catalogue
from dashboard.recommendations.playlist import Playlist, Row
from dashboard.recommendations.tracks import Track
from dashboard.view_state import (
    AWAY,
    GENRE_COLOURS,
    MISMATCH,
    STATE_WORDS,
    display_name,
    heard_genre,
    live_data,
    song_data,
    why_these_songs,
)
from realtime.estimates import StreamState

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]

ESTIMATED = (StreamState.LISTENING, StreamState.UNSURE, StreamState.NOT_MUSIC, StreamState.SILENT)


def heard(label: str | None, state: StreamState = StreamState.LISTENING, connected: bool = True) -> Snapshot:
    estimate = {"stable_label": label, "state": state.value if state in ESTIMATED else "LISTENING"}
    return Snapshot(connected=connected, state=state, estimate=estimate)


def test_every_state_has_words_of_its_own() -> None:
    assert set(STATE_WORDS) == set(StreamState)
    everything = [*STATE_WORDS.values(), AWAY, MISMATCH]
    assert len({words.title for words in everything}) == len(everything)
    for words in everything:
        assert words.title
        assert words.advice or words is STATE_WORDS[StreamState.LISTENING], "it must say what to do next"


def test_a_genre_stands_in_the_headline_only_where_one_is_heard() -> None:
    with_genre = {state for state, words in STATE_WORDS.items() if not words.headline}
    assert with_genre == {StreamState.LISTENING, StreamState.UNSURE}


def test_genres_keep_their_order_and_get_readable_names() -> None:
    assert list(GENRE_COLOURS) == GTZAN
    assert [display_name(genre) for genre in ("hiphop", "rock", "unheard of")] == [
        "hip hop",
        "rock",
        "unheard of",
    ]


def test_live_data_is_json_and_the_same_each_time() -> None:
    """The live part is mounted anew when its data changes, which would lose the timeline."""
    first, second = (json.dumps(live_data("ws://127.0.0.1:8765")) for _ in range(2))
    assert first == second
    assert set(json.loads(first)["states"]) == {state.value for state in StreamState}


@pytest.mark.parametrize("state", sorted(set(StreamState) - {StreamState.LISTENING}))
def test_only_listening_counts_as_heard(state: StreamState) -> None:
    assert heard_genre(heard("rock")) == "rock"
    assert heard_genre(heard("rock", state)) is None
    assert heard_genre(heard("rock", connected=False)) is None
    assert heard_genre(Snapshot(connected=True, state=StreamState.LISTENING)) is None


TRACK = Track(
    "YouTube", "無情のスキャット", ("人間椅子",), "https://www.youtube.com/watch?v=abcdefghijk", "metal",
    "ja",
    published=date(2019, 5, 22), precision="day", romanised="Mujo no Scat",
)  # fmt: skip


def playlist(*rows: Row, **mix: float) -> Playlist:
    return Playlist(rows=rows, number=1, notes=("Looking for more metal songs.",), mix=mix)


@pytest.mark.parametrize(
    ("snapshot", "begin"),
    [
        (heard("hiphop"), "For what was heard in the last minutes"),
        (heard("hiphop", StreamState.SILENT), "Nothing is playing. What was heard before"),
        (heard("polka", connected=False), "The analyzer is away. What was heard before"),
    ],
)
def test_the_page_says_why_these_songs(snapshot: Snapshot, begin: str) -> None:
    said = why_these_songs(playlist(jazz=0.3, hiphop=0.7), snapshot)
    assert said == f"{begin}: hip hop 70%, jazz 30%."
    assert why_these_songs(Playlist(), snapshot) == "Songs appear here after half a minute of music."
    assert why_these_songs(playlist(hiphop=1.0), heard("hiphop")).endswith("minutes: hip hop.")


def test_a_song_is_laid_out_with_its_links_and_marks() -> None:
    row = Row(TRACK, "metal", "because metal was heard in the last minutes", liked=True)
    data = song_data(playlist(row, metal=1.0), heard("metal"), ["YouTube: asks again at noon."])
    assert json.loads(json.dumps(data)) == data
    assert (data["genre"], data["notes"]) == (
        "metal", ["Looking for more metal songs.", "YouTube: asks again at noon."],
    )  # fmt: skip
    (song,) = data["songs"]
    assert song["published"] == "2019-05-22"
    assert song["why"] == "Because metal was heard in the last minutes"
    assert [place for place, _ in song["links"]] == ["YouTube", "Spotify"]
    assert song["links"][0][1] == TRACK.url, "its own page, not a search"
    assert song["marks"] == ["like"]
    bundled = replace(
        TRACK, provider="Overheard's own list", precision="year", url="https://open.spotify.com/x"
    )
    (song,) = song_data(playlist(Row(bundled, "hiphop", "because hiphop")), heard("metal"), [])["songs"]
    assert [address for _, address in song["links"]] == [bundled.spotify_search, bundled.youtube_search]
    assert (song["published"], song["why"]) == ("2019", "Because hip hop")


# Machado, Oliveira, Fernandes (2009), severity 1; applied to linear RGB.
EYES = {
    "normal": np.eye(3),
    "red-blind": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "green-blind": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "blue-blind": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    stored = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Linear RGB to OKLab (Ottosson 2020): distances in it are about as large as they look."""
    cones = np.array([[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696],
                      [0.08830246, 0.28171884, 0.6299787]])  # fmt: skip
    axes = np.array([[0.21045426, 0.79361779, -0.00407205], [1.9779985, -2.42859221, 0.45059371],
                     [0.02590404, 0.78277177, -0.80867577]])  # fmt: skip
    return np.asarray(axes @ np.cbrt(cones @ np.clip(rgb, 0, 1)))


@pytest.mark.parametrize("eyes", EYES)
def test_genre_colours_differ_for_all_eyes(eyes: str) -> None:
    seen = {genre: oklab(np.asarray(EYES[eyes]) @ linear(colour)) for genre, colour in GENRE_COLOURS.items()}
    closest = min(
        combinations(seen, 2), key=lambda pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
    )
    assert np.linalg.norm(seen[closest[0]] - seen[closest[1]]) > 0.11, closest


@pytest.mark.parametrize("genre", GTZAN)
def test_genre_colours_stand_out_on_both_themes(genre: str) -> None:
    luminance = float(linear(GENRE_COLOURS[genre]) @ [0.2126, 0.7152, 0.0722])
    panel = float(linear("#191b20") @ [0.2126, 0.7152, 0.0722])
    assert 1.05 / (luminance + 0.05) > 1.6, "too bright for the light theme"
    assert (luminance + 0.05) / (panel + 0.05) > 2.0, "too dark for the dark theme"


def test_catalogue_knows_every_genre_of_the_page() -> None:
    assert {song.genre for song in catalogue.load()} == set(GENRE_COLOURS)
