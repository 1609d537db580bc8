"""Clean, shorten and store text that comes from outside the program, and find similar words."""

from __future__ import annotations

import codecs
import html
import math
import re
from collections.abc import Iterable
from typing import Final, Literal

MAX_LABEL_CHARACTERS: Final = 200
"""Maximum length of a title, a station's name and a tag. Longer ones fill the page and the history."""

MAX_ERROR_LETTERS: Final = 200
"""Maximum length of an error's first line. Errors of S3 can fill pages."""

MAX_QUOTED_LETTERS: Final = 100
"""Maximum length of a key or value of a document in a message."""

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, which a terminal executes, and marks that break lines or reverse the following text.

Joiners and other invisible characters stay, because emoji and many scripts need them.
"""

_TERMINAL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

_WINDOWS_1252: Final = {
    byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)
}
"""Characters of Windows-1252 where Latin-1 has control characters."""

_CYRILLIC: Final = frozenset(b"\xa8\xb8" + bytes(range(0xC0, 0x100)))
"""Letters of Russian in Windows-1251."""

_SIGNS: Final = frozenset(b"\x84\x85\x91\x92\x93\x94\x95\x96\x97\xa0\xab\xb9\xbb")
"""Quotes, dashes, dots, spaces and the number sign in Windows-1251."""

_CYRILLIC_WORD: Final = re.compile(rb"[\xa8\xb8\xc0-\xff]{4}")

_FORMULA: Final = re.compile(r"[=+\-@\uff1d\uff0b\uff0d\uff20|%]")
"""First letters of a cell that a spreadsheet may run (OWASP, "CSV Injection"), full-width forms included."""


def clean_text(text: str, *, replacement: Literal[" ", "?"] = " ") -> str:
    """Clean untrusted text for a terminal, a page and UTF-8.

    Parameters
    ----------
    text : str
        Text from a station, a provider, a client or a file name.
    replacement : str
        Replaces a control character. A lone surrogate always becomes a question mark.

    Returns
    -------
    str
        One line without control characters, with single spaces between its words.
    """
    one_line = " ".join(replace_surrogates(text, "replace").split())
    return " ".join(_UNSAFE.sub(replacement, one_line).split())


def clean_label(text: str) -> str:
    """Clean an untrusted title, name or tag like ``clean_text``, and cut it at ``MAX_LABEL_CHARACTERS``."""
    return shorten(clean_text(text.lstrip()[: 4 * MAX_LABEL_CHARACTERS]), MAX_LABEL_CHARACTERS)


def format_count(number: int, noun: str) -> str:
    """Format a number with its noun: ``1 client``, ``2,000 clients``. The plural is the noun with "s"."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def unescape_entities(text: str) -> str:
    """Replace HTML's entities, which some stations send in titles. ``AT&T`` and ``&copy`` stay."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


def escape_control(text: str) -> str:
    """Escape characters that a terminal executes or that reverse text. Line breaks and tabs stay."""
    return _TERMINAL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escape_path(path: str) -> str:
    """Escape all control characters in a path for a message of one line, and lone surrogates."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), replace_surrogates(path))


def escape_json_control(line: str) -> str:
    """Escape control characters in a line of JSON, in which the values stay the same."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def escape_unprintable(text: str) -> str:
    """Escape characters that cannot be printed. All other characters stay, including double spaces."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def replace_surrogates(text: str, errors: Literal["backslashreplace", "replace"] = "backslashreplace") -> str:
    """Replace lone surrogates, which UTF-8 cannot encode and SQLite, Parquet and websockets reject.

    In Python, file names whose bytes are not valid UTF-8 contain lone surrogates.

    Parameters
    ----------
    text : str
    errors : str
        ``backslashreplace`` writes escapes, so that different names stay different. ``replace`` writes
        question marks.
    """
    return text.encode("utf-8", errors).decode()


def decode_text(data: bytes) -> str:
    """Decode UTF-8, UTF-16 with a byte order mark, or Windows-1252 if the bytes are not valid UTF-8.

    A character of UTF-8 that the sender cut off at the end is dropped. Windows-1252 is a superset of the
    printable part of Latin-1. Its five undefined bytes become control characters. Text that can only be
    Russian is decoded as Windows-1251.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "ignore")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start, length = data[: error.start], len(data) - error.start
        cut = error.reason == "unexpected end of data" and (length > 1 or not start.isascii())
        if cut:
            return start.decode()
        return data.decode("cp1251") if _is_russian(data) else data.decode("latin-1").translate(_WINDOWS_1252)


def _is_russian(data: bytes) -> bool:
    """Return True if most letters are Cyrillic ones of Windows-1251, with four or more in one word.

    In languages that are written in Windows-1252, most letters are ASCII.
    """
    high = [byte for byte in data if byte >= 0x80]
    cyrillic = sum(byte in _CYRILLIC for byte in high)
    if cyrillic < sum(byte not in _SIGNS for byte in high) or not _CYRILLIC_WORD.search(data):
        return False
    return cyrillic > sum(bytes([byte]).isalpha() for byte in data)


def shorten(text: str, max_letters: int) -> str:
    """Cut a text that is too long, and append an ellipsis."""
    return text if len(text) <= max_letters else f"{text[: max_letters - 1].rstrip()}…"


def quote(value: object) -> str:
    """Return a value of a foreign document for a message: as Python writes it, and cut if it is long."""
    return shorten(repr(value), MAX_QUOTED_LETTERS)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the error's type if the message is empty."""
    lines = (line for line in str(error).splitlines() if line.strip())
    return next(lines, type(error).__name__)[:MAX_ERROR_LETTERS]


def escape_formula(text: str) -> str:
    """Clean untrusted text for a cell of CSV. A text that could be a formula gets an apostrophe in front."""
    cleaned = clean_text(text)
    return f"'{cleaned}" if _FORMULA.match(cleaned) else cleaned


def format_seconds(seconds: float) -> str:
    """Format a duration for people, rounded down: ``4.96 s``, ``3 min 20 s``."""
    if seconds < 60:
        return f"{math.floor(seconds * 100) / 100:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def find_nearest(name: str, known: Iterable[str], min_similarity: float = 0.6) -> str | None:
    """Return the known name that is most similar to ``name``, or None if no name is similar.

    Parameters
    ----------
    name : str
    known : iterable of str
    min_similarity : float
        Smallest ratio of ``difflib``, 0..1, that counts as similar.
    """
    import difflib  # here, because most runs contain no unknown name

    return next(iter(difflib.get_close_matches(name, list(known), 1, min_similarity)), None)
