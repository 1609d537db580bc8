"""The bands, legend and times of the page of a file."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.file import (
    MAX_DESCRIBED,
    Band,
    bands_data,
    clock_time,
    pixel_importance,
    probability_rows,
)
from dashboard.viewmodels.theme import OTHER_COLOR

EN = Translator("en")


BANDS = [
    Band(0, 5, "<b>x</b>", True),
    Band(5, 9, "jazz", False),
    Band(9, 12, None, False),
    Band(12, 99, "hiphop", True),
]


def test_the_bands_have_a_legend_and_times() -> None:
    """Colors without times and names explain nothing to a new user."""
    data = bands_data(BANDS, 120, EN)
    assert [entry["name"] for entry in data["legend"]] == ["hip hop", "jazz", "<b>x</b>"], (
        "the legend must have the order of the page"
    )
    assert data["legend"][2]["color"] == OTHER_COLOR
    assert data["times"] == ["0:00", "0:30", "1:00", "1:30", "2:00"]


def test_bands_are_placed_by_their_share_of_the_file() -> None:
    data = bands_data(BANDS, 120, EN)
    placed = [(band["start"], band["length"], band["sure"]) for band in data["bands"]]
    assert placed == [(0, 5 / 120, True), (5 / 120, 4 / 120, False), (0.1, 87 / 120, True)], (
        "a part without music must have no band"
    )
    assert data["bands"][1]["tooltip"] == "0:05 \N{EN DASH} 0:09: " + EN("file.guess", genre="jazz")
    assert data["description"].count(";") == 3
    assert EN("file.no_music") in data["description"]


def test_a_file_without_length_has_bands() -> None:
    assert bands_data([], 0, EN)["bands"] == []
    assert bands_data([Band(0, 0, "jazz", True)], 0, EN)["bands"][0]["length"] == 0


def test_a_long_file_is_described_in_part() -> None:
    many = [Band(second, second + 1, "jazz" if second % 2 else "rock", True) for second in range(500)]
    data = bands_data(many, 500, EN)
    assert len(data["bands"]) == 500
    assert data["description"].count(";") == MAX_DESCRIBED - 1


def test_the_most_probable_genres_are_shown() -> None:
    rows = probability_rows({"jazz": 0.1, "rock": 0.6, "pop": 0.05, "new": 0.2, "blues": 0.05}, EN)
    assert [(row["name"], row["percent"]) for row in rows] == [
        ("rock", "60%"),
        ("new", "20%"),
        ("jazz", "10%"),
        ("pop", "5%"),
    ]
    assert rows[1]["color"] == OTHER_COLOR


def test_times_are_formatted_as_on_a_player() -> None:
    assert [clock_time(seconds) for seconds in (0, 65, 3600.4, 36_061)] == [
        "0:00",
        "1:05",
        "1:00:00",
        "10:01:01",
    ]


def test_the_importance_of_a_patch_is_spread_over_its_pixels() -> None:
    falls = np.zeros((3, 3))
    falls[0, 0] = 1
    importance = pixel_importance(falls, side=8, patch=4, step=2)
    assert importance[0, 0] == 1
    assert importance[2, 2] == pytest.approx(1 / 4)
    assert importance[5, 5] == 0
