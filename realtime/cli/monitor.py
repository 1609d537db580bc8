"""``overheard monitor``: analyze many stations and serve their estimates on one websocket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from models.common.cli import ArgumentParser
from models.common.ray import ENGINES, connect_ray
from realtime import config
from realtime.cli.output import LIVE_GROUPS, print_address, print_estimate
from realtime.config import AnalysisSettings
from realtime.monitoring.feeds import GroupClient, ProcessGroupClient, RayGroupClient, allow_files
from realtime.monitoring.roster import serve_stations
from realtime.monitoring.stations import read_stations


def command(arguments: Sequence[str]) -> int:
    """Many stations at one websocket, on one machine or a Ray cluster, until Ctrl-C."""
    parser = ArgumentParser(
        prog="overheard monitor",
        description="Hear all stations of a file and serve their estimates on one websocket. A station that "
        "is lost is opened again, and those of a lost computer are heard by another.",
    )
    parser.add_argument(
        "stations", type=Path, metavar="FILE", help="TOML: [[station]] with name and url for each; group_size"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default="local", help="processes of this machine (default), or Ray"
    )
    parser.add_argument("--json", action="store_true", help="print every estimate as a line of JSON")
    config.add_options(parser, *LIVE_GROUPS)
    options = parser.parse_args(arguments)
    chosen = config.load(options)
    groups = read_stations(options.stations)
    hearing = AnalysisSettings.from_settings(chosen)
    watch = print_estimate if options.json else None
    with contextlib.ExitStack() as kept:
        feeds: list[GroupClient]
        if options.engine == "ray":
            ray = kept.enter_context(connect_ray())
            feeds = [RayGroupClient(ray, group, hearing) for group in groups]
        else:
            allow_files(len(groups), chosen.server.max_clients)
            feeds = [ProcessGroupClient(group, hearing) for group in groups]

        def ready(count: int, address: str) -> None:
            print_address(f"monitoring {count} stations", address)

        return asyncio.run(serve_stations(chosen, groups, feeds, ready=ready, watch=watch))
