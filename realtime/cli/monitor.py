"""``overheard monitor``: analyze many stations and serve their estimates on one websocket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from models.common.cli import ArgumentParser
from models.common.ray import connect_ray
from models.common.text import format_count
from realtime import config
from realtime.cli.common import (
    LIVE_GROUPS,
    add_engine_option,
    add_json_option,
    print_address,
    print_estimate,
)
from realtime.config import AnalysisSettings
from realtime.monitoring.group_clients import (
    GroupClient,
    ProcessGroupClient,
    RayGroupClient,
    raise_file_limit,
)
from realtime.monitoring.roster import serve_stations
from realtime.monitoring.stations import read_stations


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    parser = ArgumentParser(
        prog="overheard monitor",
        usage="%(prog)s [OPTION ...] FILE",
        description="Analyze all radio stations of a file and serve their estimates on one websocket. A "
        "lost station is reopened. If a computer of a cluster is lost, another computer takes over its "
        "stations.",
        examples=[
            ("overheard monitor stations.toml", "on this machine"),
            ("overheard monitor stations.toml --engine ray --json", "on a Ray cluster, estimates as JSON"),
        ],
    )
    parser.add_argument(
        "stations",
        type=Path,
        metavar="FILE",
        help="TOML file with a [[station]] for each station (name, url), and group_size",
    )
    add_engine_option(parser)
    add_json_option(parser)
    config.add_options(parser, *LIVE_GROUPS)
    return parser


def command(arguments: Sequence[str]) -> int:
    """Monitor the stations until a stop signal arrives."""
    options = build_parser().parse_args(arguments)
    settings = config.load(options)
    groups = read_stations(options.stations)
    analysis = AnalysisSettings.from_settings(settings)
    watch = print_estimate if options.json else None
    with contextlib.ExitStack() as stack:
        clients: list[GroupClient]
        if options.engine == "ray":
            ray = stack.enter_context(connect_ray())
            clients = [RayGroupClient(ray, group, analysis) for group in groups]
        else:
            raise_file_limit(len(groups), settings.server.max_clients)
            clients = [ProcessGroupClient(group, analysis) for group in groups]

        def ready(count: int, address: str) -> None:
            print_address(f"monitoring {format_count(count, 'station')}", address)

        return asyncio.run(serve_stations(settings, groups, clients, ready=ready, watch=watch))
