"""HTTP connections that end at a deadline, from the first packet to the last byte of the response."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def limit_connection(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Shut an unconnected connection down after a time, and close it at the end of the block.

    A timeout of a socket does not suffice, since each byte of a slow server restarts it. The system's name
    lookup may exceed the time.

    Parameters
    ----------
    connection : HTTPConnection
        Connection to the server, or to a proxy that opens a tunnel.
    seconds : float

    Raises
    ------
    TimeoutError
        If the block did not end in time, even if the parts of a response that were received look complete.
    """
    ends_at = time.monotonic() + seconds
    too_late = threading.Event()
    watched: list[socket.socket] = []

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        sock = _connect(address, ends_at)
        watched.append(sock.dup())  # TLS takes over the socket itself, but not its duplicate
        if too_late.is_set():  # the deadline may have passed before this thread appended the socket
            sock.close()
            raise TimeoutError("timed out")
        return sock

    def shut_down() -> None:
        too_late.set()
        for sock in watched:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    connection._create_connection = connect  # type: ignore[attr-defined]  # http.client has no other hook
    timer = threading.Timer(seconds, shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if too_late.is_set():
            raise TimeoutError("timed out") from error
        raise
    finally:
        timer.cancel()
        timer.join()
        for sock in watched:
            sock.close()
        connection.close()
    if too_late.is_set():  # http.client takes headers that were cut off for complete ones
        raise TimeoutError("timed out")


def _connect(address: tuple[str, int], ends_at: float) -> socket.socket:
    """Connect to the first address of a host that answers before the deadline."""
    failure: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        remaining = ends_at - time.monotonic()
        if remaining <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(remaining)
        try:
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
            continue
        return sock
    raise failure
