"""Find the system user of a client on this machine. Only Linux reports the user of a connection."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Final

TABLES: Final = {4: Path("/proc/net/tcp"), 6: Path("/proc/net/tcp6")}
"""Tables of all TCP sockets by IP version."""


def current_user() -> int | None:
    """Return the user of this process, or None on systems that do not tell the user of a client."""
    return os.getuid() if sys.platform == "linux" and TABLES[4].is_file() else None


def find_user(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """Return the user who owns the client's end of a connection, or None if no such end is open here.

    Parameters
    ----------
    client, server : tuple of str and int
        Address and port of both ends.
    """
    try:
        version = ipaddress.ip_address(client[0]).version
        wanted = [_format_end(*client), _format_end(*server)]
        lines = TABLES[version].read_text(encoding="ascii").splitlines()[1:]
    except (OSError, ValueError):
        return None
    for fields in map(str.split, lines):
        if fields[1:3] == wanted:
            user, inode = fields[7], fields[9]
            # An end that was closed has no inode, and Linux lists 0, the administrator, as its user.
            return int(user) if inode != "0" else None
    return None


def _format_end(address: str, port: int) -> str:
    """Format an address and a port like the kernel: hexadecimal, in words of the machine's byte order."""
    packed = ipaddress.ip_address(address).packed
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"
