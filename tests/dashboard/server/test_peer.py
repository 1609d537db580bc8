"""System users of the clients of the page, from the kernel's table of sockets."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing

import pytest

from dashboard.server.peer import find_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_user_of_an_end_is_known_until_it_is_closed(family: socket.AddressFamily, address: str) -> None:
    """Regression: another user who sent a request and closed the connection counted as the administrator."""
    with socket.create_server((address, 0), family=family) as server:
        client = socket.create_connection(server.getsockname()[:2])
        with client, closing(server.accept()[0]) as accepted:
            ends = accepted.getpeername()[:2], accepted.getsockname()[:2]
            assert find_user(*ends) == os.getuid()
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.close()
            assert find_user(*ends) is None
            assert accepted.recv(1024), "the request arrives although its user is unknown"
