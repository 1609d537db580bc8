"""Removal of control characters, lone surrogates and formulas from untrusted text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.text import (
    clean_text,
    decode_text,
    escape_formula,
    escape_unprintable,
    first_line,
    format_seconds,
    replace_surrogates,
    shorten,
)

BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
ANYTHING = st.text(st.characters(codec=None, categories=None))
"""Every code point, lone surrogates and control characters included."""

EMOJI = "\U0001f469\u200d\U0001f680 e\u0301"


@given(ANYTHING)
def test_clean_text_is_one_line_that_steers_nothing(text: str) -> None:
    for cleaned in (clean_text(text), clean_text(text, replacement="?"), escape_formula(text)):
        cleaned.encode("utf-8")
        assert "  " not in cleaned
        assert cleaned == cleaned.strip()
        assert len(cleaned.splitlines()) <= 1
        assert not BIDI & set(cleaned)
        assert not [sign for sign in cleaned if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("text", "spaces", "marks"),
    [
        ("a\x1b[2Jb", "a [2Jb", "a?[2Jb"),
        ("one\r\ntwo\tthree\u2028four", "one two three four", "one two three four"),
        ("abc\u202egpj.exe", "abc gpj.exe", "abc?gpj.exe"),
        ("half \ud83d", "half ?", "half ?"),
        (EMOJI, EMOJI, EMOJI),
        ("a\u3000 b\u00a0c", "a b c", "a b c"),
        ("\x00\x1b", "", "??"),
    ],
)  # fmt: skip
def test_control_characters_become_spaces_or_question_marks(text: str, spaces: str, marks: str) -> None:
    assert clean_text(text) == spaces
    assert clean_text(text, replacement="?") == marks


def test_a_file_name_is_printed_with_escapes_and_keeps_its_spaces() -> None:
    assert escape_unprintable("a  \x1b[2J\udcff\u202e.mp3") == r"a  \x1b[2J\udcff\u202e.mp3"


@given(ANYTHING)
def test_storable_text_has_utf8_bytes_and_valid_text_stays(text: str) -> None:
    stored = replace_surrogates(text)
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert replace_surrogates(stored) == stored
    assert len(replace_surrogates(text, "replace")) == len(text)


def test_lone_surrogates_are_escaped_or_replaced() -> None:
    assert replace_surrogates("caf\udce9.mp3") == r"caf\udce9.mp3"
    assert replace_surrogates("caf\udce9.mp3", "replace") == "caf?.mp3"


def test_bytes_that_are_no_utf8_are_latin_1() -> None:
    assert decode_text("Café".encode()) == decode_text("Café".encode("latin-1")) == "Café"


def test_long_text_ends_in_an_ellipsis() -> None:
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"
    assert shorten("123 56", 5) == "123…"


def test_an_error_is_named_by_its_first_line_or_its_type() -> None:
    assert first_line(ValueError("\n\none\ntwo")) == "one"
    assert first_line(KeyError()) == first_line(KeyError("")).replace("''", "KeyError") == "KeyError"
    assert len(first_line(OSError("x" * 1000))) == 200


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "|calc", "%0", "\t=1", "\r\n=1", " =1", "\x00=1", "\u2066=1", "\u3000=1",
     "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"],
)  # fmt: skip
def test_a_cell_never_begins_like_a_formula(text: str) -> None:
    assert escape_formula(text).startswith("'")


def test_other_cells_stay() -> None:
    assert escape_formula("Miles Davis - So What = 1") == "Miles Davis - So What = 1"
    assert escape_formula("") == ""


def test_durations_are_rounded_down() -> None:
    assert format_seconds(4.969) == "4.96 s"
    assert format_seconds(59.999) == "59.99 s"
    assert format_seconds(200.9) == "3 min 20 s"
