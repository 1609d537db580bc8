"""Network addresses."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def public_url(url: str) -> str:
    """A URL without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_url(location: str) -> bool:
    """Whether FFmpeg should open this as a network address."""
    return location.lower().startswith(("http://", "https://", "rtsp://", "rtsps://"))
