"""Data of the Live page."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from dashboard.analyzer.snapshot import ReceivedEstimate
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.recommendations.providers.catalog import songs as catalog
from dashboard.viewmodels.live import MIN_SAMPLE_SECONDS, live_data, past_samples
from dashboard.viewmodels.theme import GENRE_COLORS
from realtime.protocol.estimate import StreamState
from tests.support.protocol import estimate_message

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_its_own_texts(language: str) -> None:
    data = live_data("ws://127.0.0.1:8765", "", Translator(language))
    titles = [
        data["texts"][f"state.{state}.title"]
        for state in (*StreamState, "AWAY", "MISMATCH", "CHANGING", "MUTED")
    ]
    assert len(set(titles)) == len(titles)
    advised = {state for state in StreamState if f"state.{state}.advice" in data["texts"]}
    assert advised == set(StreamState) - {StreamState.LISTENING}, "every other state needs advice"


def test_the_headline_names_a_genre_only_if_one_is_recognized() -> None:
    texts = Translator("en").part("live.state.")
    with_genre = {state for state in StreamState if f"{state}.headline" not in texts}
    assert with_genre == {StreamState.LISTENING, StreamState.UNSURE}


def test_genres_keep_their_order_and_get_readable_names() -> None:
    assert list(GENRE_COLORS) == GTZAN
    genres = live_data("ws://127.0.0.1:8765", "", Translator("en"))["genres"]
    assert [genre["name"] for genre in genres if genre["label"] in ("hiphop", "rock")] == ["hip hop", "rock"]


def test_live_data_is_json_with_words_for_every_step_of_sureness() -> None:
    data = live_data("ws://127.0.0.1:8765", "", Translator("ja"))
    assert json.loads(json.dumps(data)) == data
    assert data["sureness"][-1][0] == data["guess_below"], "the lowest step must begin where guesses end"
    for _, name in data["sureness"]:
        assert data["texts"][f"sure.{name}"]


def estimated(arrived: float, label: str, state: str = "LISTENING", share: float = 0.9) -> ReceivedEstimate:
    shares = {label: share, "rock": 0.8}
    body = estimate_message(label, stable="rock", state=state, probabilities=shares).estimate
    return ReceivedEstimate(1, arrived, body, arrived)


def test_the_past_is_sent_as_samples() -> None:
    past = [
        estimated(0.0, "jazz"),  # too long ago
        estimated(1_000.0, "pop"),
        estimated(1_000.5, "pop"),
        estimated(1_001.4, "pop"),  # replaces the one before it
        estimated(1_002.0, "blues", "UNSURE", 0.3),
        estimated(1_010.0, "blues", "SILENT"),
    ]
    assert past_samples(past, 1_100.0) == [
        [100.0, "rock", 0.8, True],
        [98.6, "rock", 0.8, True],
        [98.0, "blues", 0.3, False],
        [90.0, None, 0.0, False],
    ]
    assert past_samples([], 5.0) == []


def test_samples_are_few_and_add_no_gaps() -> None:
    past = [estimated(1_000 + number / 12, "pop") for number in range(12 * 300)]
    times = [sample[0] for sample in past_samples(past, 1_300.0)]
    assert len(times) < 300 / MIN_SAMPLE_SECONDS * 1.2
    assert max(before - after for before, after in pairwise(times)) <= MIN_SAMPLE_SECONDS


def test_the_past_shows_no_genre_as_sure_that_has_become_improbable() -> None:
    """Regression: after a change the analyzer still held metal at 3 %, and the timeline showed it."""
    body = estimate_message("jazz", stable="metal", probabilities={"jazz": 0.9, "metal": 0.03}).estimate
    assert past_samples([ReceivedEstimate(1, 10.0, body, 10.0)], 11.0) == [[1.0, "jazz", 0.9, False]]


# Machado, Oliveira, Fernandes (2009), severity 1; applied to linear RGB.
VISION = {
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


def linear(color: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    stored = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Convert linear RGB to OKLab (Ottosson 2020), in which distances match their appearance."""
    cones = np.array([[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696],
                      [0.08830246, 0.28171884, 0.6299787]])  # fmt: skip
    axes = np.array([[0.21045426, 0.79361779, -0.00407205], [1.9779985, -2.42859221, 0.45059371],
                     [0.02590404, 0.78277177, -0.80867577]])  # fmt: skip
    return np.asarray(axes @ np.cbrt(cones @ np.clip(rgb, 0, 1)))


@pytest.mark.parametrize("vision", VISION)
def test_genre_colors_differ_for_all_kinds_of_color_vision(vision: str) -> None:
    seen = {genre: oklab(np.asarray(VISION[vision]) @ linear(color)) for genre, color in GENRE_COLORS.items()}
    closest = min(
        combinations(seen, 2), key=lambda pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
    )
    assert np.linalg.norm(seen[closest[0]] - seen[closest[1]]) > 0.11, closest


@pytest.mark.parametrize("genre", GTZAN)
def test_genre_colors_stand_out_on_both_themes(genre: str) -> None:
    luminance = float(linear(GENRE_COLORS[genre]) @ [0.2126, 0.7152, 0.0722])
    panel = float(linear("#191b20") @ [0.2126, 0.7152, 0.0722])
    assert 1.05 / (luminance + 0.05) > 1.6, "too bright for the light theme"
    assert (luminance + 0.05) / (panel + 0.05) > 2.0, "too dark for the dark theme"


@pytest.mark.parametrize("genre", GTZAN)
@pytest.mark.parametrize(("text", "panel"), [("#1b1d22", "#ffffff"), ("#eceae4", "#191b20")])
def test_text_stays_readable_over_the_color_of_a_genre(genre: str, text: str, panel: str) -> None:
    """The card has a tint of at most a fifth, and its faintest words have four fifths of the text's color."""
    tinted = mixed(GENRE_COLORS[genre], panel, 0.2)
    brightness = sorted(
        float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (mixed(text, panel, 0.8), tinted)
    )
    assert (brightness[1] + 0.05) / (brightness[0] + 0.05) >= 4.5


def mixed(over: str, under: str, share: float) -> str:
    """Mix two colors in sRGB like the browser."""
    parts = [
        round(share * int(over[at : at + 2], 16) + (1 - share) * int(under[at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_catalog_knows_every_genre_of_the_page() -> None:
    assert {song.genre for song in catalog.load()} == set(GENRE_COLORS)
