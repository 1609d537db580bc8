from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from dashboard.feed import Snapshot
from dashboard.recommendations import SONGS_SHOWN, catalogue
from dashboard.view_state import (
    AWAY,
    GENRE_COLOURS,
    MISMATCH,
    STATE_WORDS,
    SongPanel,
    display_name,
    heard_genre,
    live_data,
    next_panel,
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


def test_songs_change_with_the_genre_and_only_then() -> None:
    empty = SongPanel()
    assert next_panel(empty, Snapshot()) is empty
    rock = next_panel(empty, heard("rock"))
    assert rock.genre == "rock"
    assert len(rock.songs) == SONGS_SHOWN
    for snapshot in (
        heard("rock"),
        heard("jazz", StreamState.UNSURE),
        heard("rock", StreamState.SILENT),
        heard("jazz", StreamState.NOT_MUSIC),
        heard("jazz", connected=False),
        heard("a genre without songs"),
        heard(None),
    ):
        assert next_panel(rock, snapshot) is rock
    assert next_panel(rock, heard("jazz")).genre == "jazz"


def test_songs_for_who_comes_after_the_end() -> None:
    panel = next_panel(SongPanel(), heard("jazz", StreamState.ENDED))
    assert panel.genre == "jazz"
    assert why_these_songs(panel, heard("jazz", StreamState.ENDED)).startswith("The file has ended.")
    for state in (StreamState.UNSURE, StreamState.NOT_MUSIC, StreamState.SILENT):
        assert next_panel(SongPanel(), heard("jazz", state)) == SongPanel(), "a guess is no reason for songs"


def test_other_songs_on_request_and_when_a_genre_returns() -> None:
    rock = next_panel(SongPanel(), heard("rock"))
    asked = next_panel(rock, heard("rock", StreamState.SILENT), other_songs=True)
    assert asked.genre == "rock"
    assert not set(asked.songs) & set(rock.songs)
    returned = next_panel(next_panel(rock, heard("jazz")), heard("rock"))
    assert not set(returned.songs) & set(rock.songs)
    assert next_panel(SongPanel(), Snapshot(), other_songs=True) == SongPanel()


@pytest.mark.parametrize(
    ("snapshot", "sentence"),
    [
        (heard("hiphop"), "Because hip hop is playing."),
        (heard("hiphop", StreamState.SILENT), "Nothing is playing. The last genre heard was hip hop."),
        (
            heard("hiphop", StreamState.NOT_MUSIC),
            "This does not sound like music. The last genre heard was hip hop.",
        ),
        (heard("hiphop", connected=False), "The analyzer is away. The last genre heard was hip hop."),
        (heard("polka"), "There are no songs for this genre. The last genre heard was hip hop."),
    ],
)
def test_the_page_says_why_these_songs(snapshot: Snapshot, sentence: str) -> None:
    assert why_these_songs(SongPanel(genre="hiphop"), snapshot) == sentence
    assert why_these_songs(SongPanel(), snapshot) == "Songs appear here as soon as a genre is heard."


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
