"""Connection to the D-Bus session bus, with limits on what a client of the bus may cause."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import count
from types import TracebackType

from jeepney import Message, Parser
from jeepney.auth import BEGIN, Authenticator
from jeepney.bus import get_bus

IO_TIMEOUT_SECONDS = 2.0
"""Seconds that the bus may take to accept a connection or a message."""

POLL_SECONDS = 1.0
"""Interval at which the end of the watch is noticed."""

CHUNK_BYTES = 65_536
"""Bytes that are read at a time."""

MAX_MESSAGE_BYTES = 8 << 20
"""Size of a message above which the connection is closed. Some players send pictures with their titles."""

MAX_LOAD_PER_SECOND = 500
"""Messages and reads in a second, above which the connection is closed."""


class SessionBus:
    """Connection to the session bus of this user.

    Parameters
    ----------
    environment : mapping
        Usually ``os.environ``.

    Raises
    ------
    OSError
        If there is no session bus, or if it does not accept the connection.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._serials = count(1)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(IO_TIMEOUT_SECONDS)
        try:
            self._socket.connect(find_address(environment))
            authentication = Authenticator()
            for request in authentication:
                self._socket.sendall(request)
                authentication.feed(self._read(1_024))
            self._socket.sendall(BEGIN)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> SessionBus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, message: Message) -> int:
        """Send a message, and return its serial number.

        Raises
        ------
        OSError
            If the bus does not take the message.
        """
        serial = next(self._serials)
        self._socket.sendall(message.serialise(serial))
        return serial

    def receive(self, closed: threading.Event) -> Iterator[list[Message]]:
        """Yield the messages of the bus as they arrive, until ``closed`` is set.

        Raises
        ------
        OSError
            If the connection is lost, or if the clients of the bus send too much.
        """
        self._socket.settimeout(POLL_SECONDS)
        parser = Parser()
        pending = load = 0
        until = 0.0
        while not closed.is_set():
            try:
                data = self._read(CHUNK_BYTES)
            except TimeoutError:
                continue
            messages = parser.feed(data)
            pending = 0 if messages else pending + len(data)
            if pending > MAX_MESSAGE_BYTES:
                raise OSError(f"a message on the session bus is longer than {MAX_MESSAGE_BYTES:,} bytes")
            now = time.monotonic()
            if now >= until:
                load, until = 0, now + 1
            load += 1 + len(messages)
            if load > MAX_LOAD_PER_SECOND:
                raise OSError(f"a player sends more than {MAX_LOAD_PER_SECOND} messages a second")
            if messages:
                yield messages

    def _read(self, size: int) -> bytes:
        data = self._socket.recv(size)
        if not data:
            raise ConnectionResetError("the session bus closed the connection")
        return data


def find_address(environment: Mapping[str, str]) -> str:
    """Find the Unix socket of the session bus, as libdbus does.

    Raises
    ------
    FileNotFoundError
        If the environment names no bus.
    """
    if address := environment.get("DBUS_SESSION_BUS_ADDRESS"):
        try:
            found: str = get_bus(address)
        except Exception as error:
            raise FileNotFoundError(f"DBUS_SESSION_BUS_ADDRESS names no Unix socket: {address}") from error
        return found
    path = os.path.join(environment.get("XDG_RUNTIME_DIR", ""), "bus")
    if os.path.isabs(path) and os.path.exists(path):
        return path
    raise FileNotFoundError("there is no session bus (DBUS_SESSION_BUS_ADDRESS is not set)")
