"""Parse JSON and TOML that come from outside the program. Every fault of the content is a ``ValueError``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOO_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        If the text is not JSON, or is nested so deeply that the parser gives up.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. A byte order mark, which editors on Windows write, is skipped.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is not UTF-8 text or not TOML, or is nested so deeply that the parser gives up.
    """
    import tomllib  # most runs read no TOML

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
