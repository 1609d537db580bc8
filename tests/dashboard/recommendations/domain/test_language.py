"""Language of a song from the letters of its title and artists. All names are invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.language import classify_language, guess_language


@pytest.mark.parametrize(
    ("title", "artists", "expected"),
    [
        ("유리 정거장", ("Paper Whale",), ("ko", "strong")),
        ("Glass Station", ("구름서랍",), ("ko", "strong")),
        ("夜の港", ("霧港樂隊",), ("ja", "strong")),
        ("ﾖﾙﾉﾐﾅﾄ", (), ("ja", "strong")),  # half-width
        ("\u1100\u1161", (), ("ko", "strong")),  # decomposed
        ("Песня про фонарь", ("Lamp",), ("ru", "strong")),
        ("Пісня їжака", (), (None, "strong")),  # Ukrainian
        ("Песма њој", (), (None, "strong")),  # Serbian
        ("Тихая песня", ("Џез Чердак",), (None, "strong")),
        ("雨後長廊", ("紙鶴電台",), ("zh", "weak")),
        ("雨後長廊", ("Paper Crane",), ("zh", "weak")),
        ("Lemonade", ("紙鶴",), ("zh", "weak")),
        ("Lanterns Below", ("Tallow Finch",), ("en", "weak")),
        ("\uff2c\uff41\uff4d\uff50", (), ("en", "weak")),  # full-width
        ("Bryła", ("Løkke",), ("en", "weak")),
        ("เพลง", ("Lamp",), (None, "strong")),
        ("アルファー・ベータ", (), ("ja", "strong")),
        ("霧港・紙鶴ー", (), ("zh", "weak")),  # dot and long mark alone make no Japanese
        ("1979", ("!!!",), (None, "none")),
        ("", (), (None, "none")),
    ],
)  # fmt: skip
def test_letters_identify_the_language(
    title: str, artists: tuple[str, ...], expected: tuple[str | None, str]
) -> None:
    assert guess_language(title, artists) == expected


def test_the_title_counts_before_the_artists() -> None:
    assert guess_language("よるのみなと", ("구름서랍 느린등대 종이고래밤",)) == ("ja", "strong")


@pytest.mark.parametrize(
    ("wanted", "title", "expected"),
    [
        ("ja", "よる", ("ja", "script")),
        ("ja", "夜港", ("ja", "hint")),
        ("ja", "Night Harbour", ("ja", "hint")),
        ("ja", "밤", None),
        ("zh", "夜港", ("zh", "script")),
        ("zh", "よる", None),
        ("ko", "夜港", None),
        ("ru", "Night Harbour", ("ru", "hint")),
        ("ru", "Нічна їзда", None),
        ("en", "Night Harbour", ("en", "script")),
        ("en", "夜港", None),
        ("en", "1979", ("en", "hint")),
        (None, "よる", ("ja", "script")),
        (None, "Night Harbour", (None, "none")),
        (None, "Нічна їзда", (None, "none")),
    ],
)
def test_songs_in_another_language_are_rejected(
    wanted: str | None, title: str, expected: tuple[str | None, str] | None
) -> None:
    assert classify_language(wanted, title, ()) == expected


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_has_a_guess(title: str, artists: list[str]) -> None:
    language, sure = guess_language(title, artists)
    assert language in (*LANGUAGES, None)
    assert sure in ("strong", "weak", "none")
    assert (language is None) or sure != "none"
