"""Text, names and links from song services, cleaned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from models.common.text import clean_text, shorten

if TYPE_CHECKING:
    pass


MAX_TEXT_CHARACTERS: Final = 1000
"""Letters of a text or link that are looked at."""


MAX_NAME_CHARACTERS: Final = 200
"""Letters of a title or a name that are shown."""


def parse_text(value: object) -> str:
    """A text from outside, in one line, fit for UTF-8 and terminals, cut; empty if it is none."""
    return clean_text(value[:MAX_TEXT_CHARACTERS]) if isinstance(value, str) else ""


def parse_name(value: object) -> str:
    """A title or a name from outside: as ``text_of``; what is too long ends in three dots, and what shows
    nothing (signs of no width) is empty.
    """
    text = parse_text(value)
    if not any(sign.isprintable() for sign in text.replace(" ", "")):
        return ""
    return shorten(text, MAX_NAME_CHARACTERS)


def parse_link(value: object, *domains: str) -> str:
    """A link from outside if it leads to one of the domains over https; else empty."""
    text = parse_text(value)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return ""
    known = any(host == domain or host.endswith("." + domain) for domain in domains)
    return text if parts.scheme == "https" and known and " " not in text else ""


def parse_mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; empty if it is none."""
    return value if isinstance(value, dict) else {}


def parse_rows(value: object) -> list[Mapping[str, Any]]:
    """The objects of a JSON array; what else is in it is left out."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
