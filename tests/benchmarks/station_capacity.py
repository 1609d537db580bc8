"""Measure how many stations one machine can analyze at one estimate a second.

``overheard monitor`` analyzes real MP3 streams of 128 kbit/s from a local web server. The work of the server
is not counted. ``python -m tests.benchmarks.station_capacity`` runs only this benchmark. It draws
``build/streams.png``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import connect

from tests.benchmarks.results import Result

COUNTS = (10, 25, 50, 75, 100, 150)
SECONDS = 20.0
PATIENCE_SECONDS = 90.0
BIT_RATE = 128_000
PACE_SECONDS = 0.25
LATE_SHARE = 0.95
"""Share of the expected estimates below which a station counts as late."""


@dataclass(frozen=True, slots=True)
class Point:
    """Cost of a number of stations in ``cores`` and ``memory_mb``, and their estimates."""

    stations: int
    cores: float
    memory_mb: float
    estimates_a_second: float
    late: int
    skipped: int
    latency_p50_ms: float
    latency_p95_ms: float


def main() -> int:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.station_capacity", description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS, metavar="N", help="stations")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve.read_bytes()))
        return 0
    for result in measure(options.counts):
        print(result.name, result.value, result.unit)
    return 0


def measure(counts: Sequence[int] = COUNTS) -> list[Result]:
    """Measure the cores and the delay for each number of stations."""
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music.mp3"
        music.write_bytes(as_mp3())
        words = [sys.executable, "-m", "tests.benchmarks.station_capacity", "--serve", str(music)]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            points = []
            for count in counts:
                points.append(monitor_stations(count, port, Path(folder)))
                print(points[-1], file=sys.stderr, flush=True)
        finally:
            server.kill()
            server.communicate()
    draw(points, Path("build") / "streams.png")
    found = []
    for point in points:
        name = f"{point.stations} stations, an estimate a second each"
        a_station = points[0].cores / points[0].stations
        processor = Result(f"{name}: processor", point.cores, "cores")
        if point is not points[0] and not point.late:  # else the machine is full, and would look cheap
            linear = f"as many times those of {points[0].stations}"
            ratio = a_station * point.stations / point.cores
            processor = Result(processor.name, point.cores, "cores", linear, ratio)
        found += [
            processor,
            Result(f"{name}: late; windows skipped", point.late + point.skipped, "stations+windows"),
            Result(f"{name}: sound to estimate, p95", point.latency_p95_ms, "ms"),
            Result(f"{name}: memory", point.memory_mb, "MB"),
        ]  # fmt: skip
    return found


def as_mp3() -> bytes:
    """Encode the demonstration as MP3, which can be cut and joined anywhere."""
    import av

    from tests.benchmarks.cli import music

    sound, rate = music()
    written = io.BytesIO()
    with av.open(written, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = BIT_RATE
        whole = np.ascontiguousarray(sound[np.newaxis].astype(np.float32))
        for start in range(0, whole.shape[1], 1152):
            frame = av.AudioFrame.from_ndarray(whole[:, start : start + 1152], format="fltp", layout="mono")
            frame.sample_rate = rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return written.getvalue()


async def serve(music: bytes) -> None:
    """Play the music to each client in real time, from a random position."""
    bytes_a_piece = int(BIT_RATE / 8 * PACE_SECONDS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # the monitor has disconnected
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-br: 128\r\n\r\n")
            place, began, pieces = random.randrange(len(music)), time.monotonic(), 0
            while True:
                piece = music[place : place + bytes_a_piece]
                writer.write(piece)
                await writer.drain()
                place = (place + len(piece)) % len(music)
                pieces += 1
                await asyncio.sleep(max(0.0, began + pieces * PACE_SECONDS - time.monotonic()))

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def monitor_stations(count: int, port: int, folder: Path) -> Point:
    """Run ``overheard monitor`` with ``count`` stations, and measure it."""
    stations = folder / "stations.toml"
    stations.write_text(
        "".join(f'[[station]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\n' for n in range(count))
    )
    words = ["monitor", str(stations), "--port", "0", "--hop-seconds", "1", "--history", "off"]
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime.cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    first_line = process.stderr.readline()
    reading = threading.Thread(target=process.stderr.read, daemon=True)  # or its log would fill the pipe
    reading.start()
    try:
        assert "ws://" in first_line, first_line
        with connect("ws://" + first_line.split("ws://")[1].strip(), max_size=None) as client:
            return measured(client, process.pid, count)
    finally:
        process.terminate()
        process.wait(timeout=30)
        reading.join()
        process.stderr.close()


def measured(client: Any, pid: int, count: int) -> Point:
    """Wait for an estimate of each station, and then measure."""
    heard: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(heard) < count:
        message = json.loads(client.recv(timeout=max(0.1, deadline - time.monotonic())))
        if message["type"] == "estimate":
            heard.add(message["source"])
    estimates: Counter[str] = Counter()
    latencies: list[float] = []
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    before, began = used(pid), time.monotonic()
    while time.monotonic() - began < SECONDS:
        message = json.loads(client.recv(timeout=10))
        if message["type"] == "estimate":
            estimates[message["source"]] += 1
            latencies.append((time.time() - message["captured_at"]) * 1e3)  # pipe and websocket included
        elif message["type"] == "health":
            first.setdefault(message["source"], message["windows_skipped"])
            last[message["source"]] = message["windows_skipped"]
    seconds = time.monotonic() - began
    late = sum(estimates[name] < LATE_SHARE * (seconds - 1) for name in heard)
    p50, p95 = np.percentile(latencies, [50, 95])
    return Point(
        count, round((used(pid) - before) / seconds, 3), round(memory(pid), 1),
        round(estimates.total() / seconds, 1), late, sum(last[name] - first[name] for name in last),
        round(float(p50), 1), round(float(p95), 1),
    )  # fmt: skip


def family(pid: int) -> list[int]:
    """Return a process and all processes below it, the decoders included."""
    children: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():  # a child belongs to the thread that started it
            children += map(int, (task / "children").read_text().split())
    return [pid, *(below for child in children for below in family(child))]


def used(pid: int) -> float:
    """Seconds of a core, those of children that have ended included."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(pid)]
    return sum(sum(map(int, each[11:15])) for each in fields) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MB, what they share counted once (proportional set size)."""
    lines = [Path(f"/proc/{each}/smaps_rollup").read_text().splitlines() for each in family(pid)]
    return sum(int(line.split()[1]) for each in lines for line in each if line.startswith("Pss:")) / 1024


def draw(points: list[Point], path: Path) -> None:
    """Cores and latency against stations."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    path.parent.mkdir(exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    counts = [point.stations for point in points]
    left.plot(counts, [point.cores for point in points], "o-", color="#0072B2", label="measured")
    a_station = points[0].cores / points[0].stations
    left.plot(
        [0, counts[-1]], [0, a_station * counts[-1]], ":", color="#555", label=f"as {counts[0]} stations"
    )
    left.axhline(os.cpu_count() or 1, color="#D55E00", linewidth=1, label="cores of this machine")
    left.set(xlabel="stations, an estimate a second each", ylabel="cores", ylim=(0, None), xlim=(0, None))
    left.legend(frameon=False)
    right.plot(counts, [point.latency_p95_ms for point in points], "o-", color="#0072B2", label="95 % within")
    right.plot(counts, [point.latency_p50_ms for point in points], "o-", color="#56B4E9", label="median")
    right.set(xlabel="stations", ylabel="ms from sound to estimate", ylim=(0, None), xlim=(0, None))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
