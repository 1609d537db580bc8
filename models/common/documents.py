"""Parse JSON and TOML that come from outside the program. Every fault of the content is a ``ValueError``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOO_DEEP = "it is nested too deeply"

MAX_INTEGER = 2**64 - 1
"""Largest absolute value of an integer. Larger ones fit into no float, and some cannot even be printed."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        If the text is not JSON, is nested so deeply that the parser gives up, or has a larger integer than
        ``MAX_INTEGER``.
    """
    try:
        return json.loads(text, parse_int=_parse_integer)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. A byte order mark, which editors on Windows write, is skipped.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is not UTF-8 text or not TOML, is nested so deeply that the parser gives up, or has a
        larger integer than ``MAX_INTEGER``.
    """
    import tomllib  # most runs read no TOML

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        _check_integers(content)
        return content
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def _parse_integer(digits: str) -> int:
    number = int(digits)
    _check_integers(number)
    return number


def _check_integers(value: Any) -> None:
    """Check all integers in a document, at any depth."""
    if isinstance(value, dict):
        for each in value.values():
            _check_integers(each)
    elif isinstance(value, list):
        for each in value:
            _check_integers(each)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError(f"it has an integer beyond {MAX_INTEGER}")
