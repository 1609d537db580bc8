"""Test if a server could listen on a port."""

from __future__ import annotations

import os
import socket


def try_port(host: str, port: int) -> None:
    """Listen on a port for a moment.

    Raises
    ------
    OSError
        If the host is unknown (``socket.gaierror``), does not belong to this machine, or has the port in use.
    UnicodeError
        If no host can have this name.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        if os.name == "posix":  # a port that was just released is free; on Windows this would share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
