"""Titles, artists and durations of YouTube's answers."""

from __future__ import annotations

import pytest

from dashboard.recommendations.providers.youtube.parsing import parse_duration, split_title


@pytest.mark.parametrize(
    ("title", "channel", "expected"),
    [
        ("Marlow - Lantern", "Some Label", ("Lantern", ("Marlow",))),
        ("Marlow – Lantern [Official Music Video]", "x", ("Lantern", ("Marlow",))),  # noqa: RUF001
        ("Marlow feat. Fern - Lantern (4K)", "x", ("Lantern", ("Marlow", "Fern"))),
        ("Lantern", "Marlow - Topic", ("Lantern", ("Marlow",))),
        ("Lantern - Live", "Marlow - Topic", ("Lantern - Live", ("Marlow",))),
        ("Lantern", "MarlowVEVO", ("Lantern", ("Marlow",))),
        ("One - Two - Three", "Marlow", ("One - Two - Three", ("Marlow",))),
        ("Well-known", "Marlow", ("Well-known", ("Marlow",))),
        ("ほし【公式】", "ツキミ", ("ほし", ("ツキミ",))),
        ("(Official Video)", "Marlow", ("(Official Video)", ("Marlow",))),
        ("- Lantern", "", ("- Lantern", ())),
    ],
)  # fmt: skip
def test_title_and_artist(title: str, channel: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert split_title(title, channel) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT3M33S", 213), ("PT1H", 3600), ("P1DT1S", 86_401), ("P0D", 0), ("PT", None), ("P", None),
     ("3:33", None), (213, None), ("PT٣M", None)],
)  # fmt: skip
def test_durations(text: object, seconds: float | None) -> None:
    assert parse_duration(text) == seconds
