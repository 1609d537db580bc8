"""``overheard listen``: analyze audio sources live and serve the estimates on a websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from models.common.cli import ArgumentParser
from realtime import config
from realtime.app import serve_sources
from realtime.cli.common import LIVE_GROUPS, add_json_option, print_address, print_estimate


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard listen",
        description="Analyze sources and serve the estimates on a websocket, without a page, until all "
        "sources end or Ctrl-C is pressed.",
        examples=[
            ("overheard listen --source demo --json", "print the estimates of the demo"),
            ("overheard listen --source system --source mic", "two sources at one websocket"),
            ("OVERHEARD_TOKEN=... overheard listen --host 0.0.0.0", "serve other machines"),
        ],
    )
    add_json_option(parser)
    config.add_options(parser, "source", *LIVE_GROUPS)
    return parser


def command(arguments: Sequence[str]) -> int:
    """Analyze the sources until all of them end or a stop signal arrives."""
    options = build_parser().parse_args(arguments)
    settings = config.load(options)
    return asyncio.run(
        serve_sources(
            settings,
            ready=lambda names, address: print_address(f"listening to {names}", address),
            watch=print_estimate if options.json else None,
        )
    )
