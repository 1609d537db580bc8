"""Options and output that the live commands share."""

from __future__ import annotations

import sys

from realtime.protocol.messages import EstimateMessage, Message, encode

LIVE_GROUPS = ("model", "smoothing", "silence", "server", "history", "outputs")
"""Groups of settings whose options every command with a websocket has."""


def print_address(what: str, address: str) -> None:
    """Print what is running, and the address of its websocket, on standard error."""
    print(f"{what}; estimates at {address}", file=sys.stderr, flush=True)


def print_estimate(message: Message) -> None:
    """Print an estimate as a line of JSON. Messages of other types are ignored."""
    if isinstance(message, EstimateMessage):
        print(encode(message), flush=True)
