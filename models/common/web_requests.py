"""Decide from the headers of a request whether it comes from a page that this program served.

A foreign host name means DNS rebinding: a web site points its own name at this machine, so that browsers take
the program's answers for the site's own. The ``Host`` header then still holds the foreign name. Addresses
cannot be rebound, since no name server is asked for them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from models.common.urls import is_loopback

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::[0-9]{1,5})?", re.ASCII)


def parse_host(header: str) -> str:
    """Return the name or address in a ``Host`` header without its port, or an empty text if it is invalid."""
    found = _HOST.fullmatch(header)
    return found[1].strip("[]").lower().removesuffix(".") if found else ""


def parse_allowed_host(name: str) -> str:
    """Return the name of a host as browsers send it: in lower case, and other alphabets as ASCII.

    Raises
    ------
    ValueError
        If the text is not the name of a host, or if the text has a scheme, a port or a path.
    """
    try:
        host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[\w.-]+", host, re.ASCII):
        raise ValueError(
            f"{name!r} is not the name of a host; give the name alone, such as radio.example, "
            "without scheme, port and path"
        )
    return host


def is_allowed_host(
    hosts: Sequence[str], allowed: Collection[str] = (), *, any_address: bool = False
) -> bool:
    """Return True if a request names this server by a name that is known to be the server's own.

    Parameters
    ----------
    hosts : sequence of str
        Values of all ``Host`` headers of the request, of which there must be one.
    allowed : collection of str
        Names allowed besides the loopback names, in lower case.
    any_address : bool
        True for a server on all networks. Then every address is allowed, but no further name.
    """
    if len(hosts) != 1:
        return False
    name = parse_host(hosts[0])
    return is_loopback(name) or name in allowed or (any_address and _is_address(name))


def is_same_origin(origins: Sequence[str], hosts: Sequence[str]) -> bool:
    """Return True if no ``Origin`` header names another host or port than the one ``Host`` header.

    Programs send no ``Origin``. Browsers send the header with each websocket and each upload. The scheme is
    not compared, because a proxy in front of the server may add TLS.
    """
    if not origins:
        return True
    if len(origins) != 1 or len(hosts) != 1:
        return False
    try:
        parts = urlsplit(origins[0])
    except ValueError:  # brackets that do not close
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == hosts[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
