"""Recognize playlists of stations, and list their addresses: M3U, PLS, XSPF and ASX.

The module has no side effects. Types and names of files are often wrong, so the first bytes decide.
"""

from __future__ import annotations

import html
import re

from models.common.text import decode_text

HEAD_BYTES = 1024
"""Bytes at the beginning of a response by which its content is recognized."""

_TYPES = (
    "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl",
    "audio/x-scpls", "application/pls+xml", "application/xspf+xml", "video/x-ms-asf", "video/x-ms-asx",
    "audio/x-ms-wax",
)  # fmt: skip
SUFFIXES = (".m3u8", ".m3u", ".pls", ".xspf", ".asx", ".wax")
"""Endings of the names of playlists."""

_BEGINNINGS = ("#extm3u", "[playlist]", "[reference]", "<asx", "<playlist", "http://", "https://", "rtsp://")

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")

# All patterns are linear, because a foreign server may send anything.
_NUMBERED = re.compile(r"(?:file|ref)(\d{0,6})\s*+=\s*+(\S.*)", re.IGNORECASE)
_LOCATION = re.compile(r"<(?:\w+:)?location>([^<>]*)<", re.IGNORECASE)
_REFERENCE = re.compile(r"<ref\s[^<>]*?href\s*+=\s*+[\"']?+([^\"'<>\s]+)", re.IGNORECASE)


def is_playlist(head: bytes, content_type: str, path: str) -> bool:
    """Return True for a playlist, HLS included.

    Parameters
    ----------
    head : bytes
        First ``HEAD_BYTES`` of the content.
    content_type : str
        Content type in lower case, without parameters.
    path : str
        Path of the address.
    """
    if not (text := _parse_head(head)):
        return False
    if text.startswith("<?xml"):
        return "<playlist" in text or "<asx" in text
    declared = content_type in _TYPES or path.lower().endswith(SUFFIXES)
    return text.startswith(_BEGINNINGS) or (declared and not text.startswith("<"))


def is_web_page(head: bytes, content_type: str) -> bool:
    """Return True for HTML. The parameters are those of ``is_playlist``."""
    text = _parse_head(head)
    declared = content_type in ("text/html", "application/xhtml+xml")
    return bool(text) and (declared or text.startswith(("<!doctype html", "<html")) or "<html" in text)


def is_hls(text: str) -> bool:
    """Return True for an HLS playlist, which lists segments. Other playlists list addresses."""
    return "#EXT-X-" in text


def parse_playlist(text: str) -> list[str]:
    """List the addresses in a playlist in the order in which they should be tried.

    Parameters
    ----------
    text : str
        Decoded content.

    Returns
    -------
    list of str
        Each address once, as the playlist writes it. It may be relative, and it may not be valid.
    """
    text = text.lstrip("\ufeff").strip()
    if text.startswith("<"):
        text = text.replace("<![CDATA[", "").replace("]]>", "")
        tracks = text[text.find("<trackList") :] if "<trackList" in text else text
        found = _LOCATION.findall(tracks) or _REFERENCE.findall(text)
        return _unique([html.unescape(address) for address in found])
    lines = [line.strip() for line in text.splitlines()]
    numbered = [match for line in lines if (match := _NUMBERED.fullmatch(line))]
    if numbered or text.startswith("["):
        numbered.sort(key=lambda match: int(match[1] or 0))
        return _unique([match[2] for match in numbered])
    return _unique([line for line in lines if not line.startswith("#")])


def _unique(addresses: list[str]) -> list[str]:
    return list(dict.fromkeys(stripped for address in addresses if (stripped := address.strip())))


def _parse_head(head: bytes) -> str:
    """Return the head as text in lower case, or an empty text if the head is not text."""
    # A cut character at the end of the head must not count as binary content.
    text = decode_text(head[:HEAD_BYTES]).lstrip("\ufeff").strip()
    return "" if _CONTROL.search(text) else text.lower()
