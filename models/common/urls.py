"""Recognize network addresses, and show them without their secrets."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

SCHEMES = ("http://", "https://", "rtsp://", "rtsps://")
"""Schemes of the addresses that can be audio sources."""


def is_url(location: str) -> bool:
    """Return True for the address of an audio stream, False for a path."""
    return location.lower().startswith(SCHEMES)


def redact_url(url: str) -> str:
    """Return a URL without user, password, query and fragment, which may be secrets.

    Raises
    ------
    ValueError
        If the URL cannot be parsed.
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, _remove_user(parts.netloc), parts.path, "", ""))


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
