"""Recognize network addresses, and show them without their secrets."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urljoin, urlsplit, urlunsplit

from models.common.text import clean_text, shorten

SCHEMES = ("http://", "https://", "rtsp://", "rtsps://")
"""Schemes of the addresses that can be audio sources."""

MAX_SHOWN_CHARACTERS = 300
"""Maximum length of an address in messages and names."""


def is_url(location: str) -> bool:
    """Return True for the address of an audio stream, False for a path."""
    return location.lower().startswith(SCHEMES)


def redact_url(url: str) -> str:
    """Return a URL for people, without user, password, query and fragment, which may be secrets.

    The URL may come from a foreign server. Control characters are replaced, and a long path is cut.

    Raises
    ------
    ValueError
        If the URL cannot be parsed.
    """
    parts = urlsplit(url)
    shown = urlunsplit((parts.scheme, _remove_user(parts.netloc), parts.path, "", ""))
    return shorten(clean_text(shown), MAX_SHOWN_CHARACTERS)


def show_url(url: str) -> str:
    """Return the text of ``redact_url`` for a URL of a foreign server, which may be invalid."""
    try:
        return redact_url(url)
    except ValueError:
        return "an address that is not valid"


def join_url(base: str, address: str) -> str:
    """Return the absolute form of an address relative to ``base``, or an empty text if it is not valid."""
    try:
        joined = urljoin(base, address.strip())
        urlsplit(joined).port  # noqa: B018 - a port that is not a number raises an error
        return joined
    except ValueError:
        return ""


def redact_to_host(url: str) -> str:
    """Return host and port of a URL whose path may be a secret, too."""
    return _remove_user(urlsplit(url).netloc)


def is_loopback(host: str) -> bool:
    """Return True for ``localhost`` and for loopback addresses, which only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _remove_user(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def is_http_url(url: str) -> bool:
    """Return True if a request can be sent to a URL: http or https, a possible host, and a valid port."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        ascii_host = host if ":" in host else host.encode("idna").decode("ascii")
        url.encode("utf-8")  # no lone surrogates
        valid = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # brackets that do not close, an invalid port, or letters that no host can have
        return False
    return (
        valid
        and re.fullmatch(r"[\w.:-]+", ascii_host, re.ASCII) is not None
        and not re.search(r"\s|[\0-\x1f\x7f]", url)
    )
