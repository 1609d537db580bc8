"""Measure what a track and a station cost in core seconds and memory.

``python -m tests.benchmarks.library_and_stations`` prints the figures.

The README's section "Beyond one machine" uses these figures. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from realtime.config import AnalysisSettings, ModelSettings, Settings
from realtime.library.analysis import TrackAnalyzer
from realtime.library.discovery import find_tracks
from realtime.monitoring.group_clients import ProcessGroupClient
from realtime.monitoring.stations import Station
from tests.support.paths import DEMONSTRATION
from tests.support.stream_servers import Answer, web_server

HOPS = (0.0, 2.6, 5.2)
STATIONS = (1, 8)
SECONDS = 15.0


def children_seconds() -> float:
    """Return the core seconds that ended child processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def track_seconds(hop_seconds: float, times: int) -> tuple[float, float]:
    """Analyze the demonstration ``times`` times, and return the core seconds and the track's length."""
    analyzer = TrackAnalyzer(
        AnalysisSettings.from_settings(Settings(model=ModelSettings(hop_seconds=hop_seconds)))
    )
    before = children_seconds()
    rows = list(analyzer.analyze(list(find_tracks([str(DEMONSTRATION)])) * times))
    analyzer.close()
    return children_seconds() - before, float(rows[0]["duration_seconds"])


async def station_cost(count: int) -> tuple[float, float]:
    """Return the share of a core and the MB that a process needs for ``count`` stations."""
    music = Answer(DEMONSTRATION.read_bytes(), headers={"Content-Type": "audio/ogg"}, length=False, hang=True)
    with web_server({"music.opus": music}) as server:
        group = tuple(Station(str(number), server.url("music.opus")) for number in range(count))
        feed = ProcessGroupClient(group, AnalysisSettings.from_settings(Settings()))
        heard: set[str] = set()
        while len(heard) < count:
            heard |= {m.source for m in await feed.take() if m.kind == "estimate"}
        assert feed.process is not None
        status, stat = (Path(f"/proc/{feed.process.pid}/{name}") for name in ("status", "stat"))

        def used() -> float:
            return sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) / 100

        before, began = used(), time.monotonic()
        while time.monotonic() - began < SECONDS:
            await feed.take()
        share = (used() - before) / (time.monotonic() - began)
        memory = next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmRSS" in line)
        await feed.close()
        return share, memory / 1024


def main() -> int:
    """Print the figures."""
    for hop in HOPS:
        one, _ = track_seconds(hop, 1)
        three, seconds = track_seconds(hop, 3)
        a_track = (three - one) / 2  # without the start of the process
        print(
            f"hop {hop or 'of the model'}: {a_track:.2f} core seconds for {seconds:.0f} s of sound, "
            f"{seconds / a_track:.0f} times real time a core; {one - a_track:.1f} s to start"
        )
    for count in STATIONS:
        share, memory = asyncio.run(station_cost(count))
        print(f"{count} stations: {share / count:.3f} of a core each, {memory:.0f} MB in all")
    print(f"Python {sys.version.split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
