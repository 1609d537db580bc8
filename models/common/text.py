"""Clean, shorten and store text that comes from outside the program, and find similar words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, Literal

MAX_ERROR_LETTERS: Final = 200
"""Letters of an error's first line that are kept. Errors of S3 can fill pages."""

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, which steer a terminal, and marks that break lines or reverse the following text.

Joiners and other invisible signs stay: emoji and many scripts need them.
"""

_FORMULA: Final = re.compile(r"[=+\-@\uff1d\uff0b\uff0d\uff20|%]")
"""First letters of a cell that a spreadsheet may run (OWASP, "CSV Injection"), full-width forms included."""


def clean_text(text: str, *, replacement: Literal[" ", "?"] = " ") -> str:
    """Make untrusted text fit for a terminal, a page and UTF-8.

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
    one_line = " ".join(storable(text, "replace").split())
    return " ".join(_UNSAFE.sub(replacement, one_line).split())


def printable(text: str) -> str:
    """Escape characters that cannot be printed. All others stay, double spaces included."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def storable(text: str, errors: Literal["backslashreplace", "replace"] = "backslashreplace") -> str:
    """Replace lone surrogates, which UTF-8 has no bytes for and SQLite, Parquet and websockets refuse.

    File names whose bytes are not valid UTF-8 have such signs in Python.

    Parameters
    ----------
    text : str
    errors : str
        ``backslashreplace`` keeps different names different, ``replace`` gives question marks.
    """
    return text.encode("utf-8", errors).decode()


def decode_text(data: bytes) -> str:
    """Decode UTF-8, or Latin-1 if the bytes are not valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def shorten(text: str, max_letters: int) -> str:
    """Cut a text that is too long, and end it with an ellipsis."""
    return text if len(text) <= max_letters else f"{text[: max_letters - 1].rstrip()}…"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the error's type if the message is empty."""
    lines = (line for line in str(error).splitlines() if line.strip())
    return next(lines, type(error).__name__)[:MAX_ERROR_LETTERS]


def escape_formula(text: str) -> str:
    """Make untrusted text fit for a cell of CSV: clean, and after an apostrophe if it could be a formula."""
    shown = clean_text(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def format_seconds(seconds: float) -> str:
    """Format a duration for people, rounded down: ``4.96 s``, ``3 min 20 s``."""
    if seconds < 60:
        return f"{math.floor(seconds * 100) / 100:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def find_nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known word that is most like ``word``, or None if no word is alike.

    Parameters
    ----------
    word : str
    known : iterable of str
    likeness : float
        Smallest ratio of ``difflib``, 0..1, that counts as alike.
    """
    import difflib  # most runs have no wrong word

    return next(iter(difflib.get_close_matches(word, list(known), 1, likeness)), None)
