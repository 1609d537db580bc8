"""Read playlists of stations and files that lie on this machine: M3U, PLS, XSPF and ASX."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from models.common.playlists import SUFFIXES, is_hls, is_playlist, parse_playlist
from models.common.text import decode_text
from models.common.urls import is_url
from realtime.errors import SourceError

MAX_BYTES = 65_536
"""Length after which a playlist is cut."""

MAX_ENTRIES = 20
"""Entries that are tried before a playlist counts as unusable."""


def resolve_file_url(location: str) -> str:
    """Return the path of a ``file:`` URL, and any other location as it is."""
    if not location.lower().startswith("file:/"):
        return location
    try:
        return url2pathname(urlsplit(location).path)
    except (ValueError, OSError):  # OSError since Python 3.14
        return location


def read_playlist(location: str) -> list[str]:
    """List the addresses and paths in a playlist in the order in which they should be tried.

    Returns
    -------
    list of str
        Addresses, and paths relative to the folder of the playlist. The list is empty if the location is not
        a playlist that can be read.

    Raises
    ------
    SourceError
        If the playlist lists nothing, or segments of HLS.
    """
    if is_url(location) or not location.lower().endswith(SUFFIXES):
        return []
    path = Path(location)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except (OSError, ValueError):  # opening the path as audio reports the error
        return []
    if not is_playlist(content, "", path.name):
        return []
    text = decode_text(content)
    if is_hls(text):
        raise SourceError(f"{location} is an HLS playlist, which is played from its address on the web only")
    entries = [_resolve(entry, path.parent) for entry in parse_playlist(text)[:MAX_ENTRIES]]
    if not entries:
        raise SourceError(f"{location} is a playlist without an address")
    return entries


def _resolve(entry: str, folder: Path) -> str:
    """Return an address as it is, and a path with the folder of the playlist in front."""
    if is_url(entry):
        return entry
    path = folder / resolve_file_url(entry)
    # Some programs write %20 in paths, and %20 can also be a part of a file's name.
    # Path.exists raises an error for a name that is too long.
    return str(path if os.path.exists(path) else folder / unquote(resolve_file_url(entry)))
