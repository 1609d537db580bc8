"""Parsing of untrusted texts, names, links and JSON values from song services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from models.common.text import clean_text, shorten

MAX_TEXT_CHARACTERS: Final = 1000
"""Characters of a text or link that are read. Further characters are ignored."""

MAX_NAME_CHARACTERS: Final = 200
"""Characters of a title or a name. A longer one is shortened."""


def parse_text(value: object) -> str:
    """Clean an untrusted text for UTF-8 and terminals, in one line. Return "" if the value is not a text."""
    return clean_text(value[:MAX_TEXT_CHARACTERS]) if isinstance(value, str) else ""


def parse_name(value: object) -> str:
    """Clean an untrusted title or name as ``parse_text`` does, and shorten it with three dots.

    The result is empty if no character of the text is visible.
    """
    text = parse_text(value)
    if not any(sign.isprintable() for sign in text.replace(" ", "")):
        return ""
    return shorten(text, MAX_NAME_CHARACTERS)


def parse_link(value: object, *domains: str) -> str:
    """Return an untrusted link if it is an https link to one of the domains, else ""."""
    text = parse_text(value)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return ""
    known = any(host == domain or host.endswith("." + domain) for domain in domains)
    return text if parts.scheme == "https" and known and " " not in text else ""


def parse_mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty mapping if the value is not an object."""
    return value if isinstance(value, dict) else {}


def parse_rows(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a JSON array without its other elements, or [] if the value is not an array."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
