"""Options and output that several commands share."""

from __future__ import annotations

import sys

from models.common.cli import ArgumentParser
from models.common.ray import ENGINES
from models.common.text import escape_control, escape_json_control
from realtime.protocol.messages import EstimateMessage, Message, encode

LIVE_GROUPS = ("model", "smoothing", "silence", "server", "history", "outputs")
"""Groups of settings whose options every command with a websocket has."""


def add_engine_option(parser: ArgumentParser) -> None:
    """Add ``--engine``, which selects processes of this machine or a Ray cluster."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        metavar="NAME",
        help="local for processes of this machine, or ray for a cluster (default: local)",
    )


def add_json_option(parser: ArgumentParser) -> None:
    """Add ``--json``, with which a live command prints its estimates."""
    parser.add_argument("--json", action="store_true", help="print every estimate as a line of JSON")


def print_address(activity: str, address: str) -> None:
    """Print the activity of this program and the address of its websocket on standard error."""
    # print writes the end of the line by itself, and a log line of another thread may come before that.
    sys.stderr.write(escape_control(f"{activity}; estimates at {address}\n"))
    sys.stderr.flush()


def print_estimate(message: Message) -> None:
    """Print an estimate as a line of JSON. Messages of other types are ignored."""
    if isinstance(message, EstimateMessage):
        print_json(encode(message))


def print_json(line: str) -> None:
    """Print a line of JSON, in which names from outside cannot control the terminal."""
    print(escape_json_control(line), flush=True)
