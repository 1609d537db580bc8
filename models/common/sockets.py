"""Check that a server could listen on a port."""

from __future__ import annotations

import os
import socket


def try_port(host: str, port: int) -> None:
    """Listen on a port for a moment, to check that the port is free.

    Raises
    ------
    OSError
        If the host is unknown (``socket.gaierror``), does not belong to this machine, or has the port in use.
    UnicodeError
        If no host can have this name.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # This allows a port that was just released. On Windows it would share a port that is in use.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
