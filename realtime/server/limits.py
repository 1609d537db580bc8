"""Limits that protect the server from broken and hostile clients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes, rates and timeouts of the websocket server."""

    handshakes: int = 512
    """Open connections that have not sent a request yet. If there are more, the oldest is dropped."""
    other_files: int = 40
    """Open files that are left to sources, child processes and the history if the system allows few."""
    open_seconds: float = 5.0
    """Timeout of a handshake. Only broken or hostile clients take longer."""
    request_bytes: int = 1024
    """Length of a client's message. The longest control takes about 300 bytes and a name."""
    request_burst: int = 10
    """Messages that a client may send at once."""
    requests_per_second: float = 2.0
    """Messages that a client may send each second after the burst."""
    waiting_messages: int = 256
    """Messages that may wait for a client that sends more requests, since each control gets a response."""
    send_seconds: float = 20.0
    """Timeout of sending a message. A client that does not take a message in this time is dropped."""
    ping_seconds: float = 20.0
    """Interval and timeout of pings, which find clients whose computer fell asleep."""
    close_seconds: float = 1.0
    """Timeout of the closing handshake, so that no client delays the end of the program."""
