"""Removal of control characters, lone surrogates and formulas from untrusted text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.text import (
    MAX_LABEL_CHARACTERS,
    clean_label,
    clean_text,
    decode_text,
    escape_formula,
    escape_path,
    escape_unprintable,
    first_line,
    format_count,
    format_seconds,
    replace_surrogates,
    shorten,
    unescape_entities,
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
def test_a_path_in_a_message_is_one_line_that_steers_nothing(path: str) -> None:
    shown = escape_path(path)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not BIDI & set(shown)
    assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]
    assert shown == path or len(shown) > len(path)


@given(ANYTHING)
def test_storable_text_has_utf8_bytes_and_valid_text_stays(text: str) -> None:
    stored = replace_surrogates(text)
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert replace_surrogates(stored) == stored
    assert len(replace_surrogates(text, "replace")) == len(text)


def test_lone_surrogates_are_escaped_or_replaced() -> None:
    assert replace_surrogates("caf\udce9.mp3") == r"caf\udce9.mp3"
    assert replace_surrogates("caf\udce9.mp3", "replace") == "caf?.mp3"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Café".encode(), "Café"),
        ("Café".encode("latin-1"), "Café"),
        ("It\u2019s \u2013 \u201cx\u201d \u20ac".encode("cp1252"), "It\u2019s \u2013 \u201cx\u201d \u20ac"),
        (b"undefined \x81 caf\xe9", "undefined \x81 café"),
        ("Бя".encode()[:-1], "Б"),
        ("東京".encode()[:-1], "東"),
        ("a東".encode()[:-1], "a"),
        ("Jóg\N{LATIN SMALL LETTER A WITH ACUTE}".encode()[:-1], "Jóg"),
        ("\ufeffCafé".encode(), "Café"),
        ("Café".encode("utf-16"), "Café"),
        ("Café".encode("utf-16-be").join([b"\xfe\xff", b""]), "Café"),
        (b"", ""),
    ],
)
def test_text_is_decoded_as_its_sender_meant_it(data: bytes, text: str) -> None:
    """A single letter that is missing its end is Windows-1252, not UTF-8."""
    assert decode_text(data) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Кино - Группа крови", "cp1251"),
        ("Би-2 — «Полковнику никто не пишет»", "cp1251"),
        ("Ёлка - Прованс (Radio Edit)", "cp1251"),
        ("Дискотека Авария - №1", "cp1251"),
        ("Mötley Crüe - Dr. Feelgood", "cp1252"),
        ("Sigur Rós - Sæglópur", "cp1252"),
        ("Björk - Jóga", "cp1252"),
        ("ÆØÅ", "cp1252"),
        ("Ænima", "cp1252"),
        ("Café Tacvba - Cómo te extraño", "cp1252"),
    ],
)
def test_russian_titles_of_old_stations_are_told_from_western_ones(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded(data: bytes) -> None:
    decode_text(data).encode()


@given(
    st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda text: text[:1] != "\ufeff"),
    st.integers(1, 4),
)
def test_a_cut_text_keeps_all_complete_letters(text: str, missing: int) -> None:
    whole = "Ж" + text
    data = whole.encode()
    cut = decode_text(data[: max(2, len(data) - missing)])
    assert whole.startswith(cut)
    assert len(cut) >= len(whole) - missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Simon &amp; Garfunkel - It&#39;s &#x41;", "Simon & Garfunkel - It's A"),
        ("AT&T &copy R&B; &nosuch;", "AT&T &copy R&B; &nosuch;"),
        ("&amp;lt;", "&lt;"),
        ("&#0;&#27;", "\ufffd"),
    ],
)
def test_entities_of_html_are_replaced(text: str, expected: str) -> None:
    assert unescape_entities(text) == expected


@given(ANYTHING)
def test_a_label_is_short_and_clean(text: str) -> None:
    label = clean_label(text * 50)
    assert len(label) <= MAX_LABEL_CHARACTERS
    assert label == clean_text(label)


def test_a_long_label_is_cut() -> None:
    assert clean_label("  a\x1bb ") == "a b"
    assert clean_label("a" * 1_500_000) == "a" * 199 + "…"


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


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 clients"), (1, "1 client"), (2, "2 clients"), (1_200, "1,200 clients")],
)
def test_a_count_agrees_with_its_noun(number: int, expected: str) -> None:
    assert format_count(number, "client") == expected
