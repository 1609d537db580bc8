"""``make soak``: check that nothing grows while an analyzer runs and clients connect and disconnect.

Sound is played at high speed, then in real time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.support.sound_servers import sound_server

FAST = 20
SAMPLE_SECONDS = 2.0
DISTURBED_EVERY = 8
LISTEN = (sys.executable, "-m", "realtime.cli", "listen", "--port", "0")
WARM_UP = 0.3
"""Share of a run that is left out: caches fill, the allocator settles."""

MAX_SLOPE_KB_PER_MINUTE = 200.0


@dataclass
class Samples:
    """Observations of the analyzer, sample by sample."""

    minutes: list[float] = field(default_factory=list)
    resident_kb: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    skipped: int = 0
    reopened: int = 0
    estimates: int = 0
    visits: int = 0


def main() -> int:
    """Run all parts and print the table. The exit status is 1 if something grew."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--fast-minutes", type=float, default=60, help="of sound, at 20 times its pace")
    parser.add_argument("--minutes", type=float, default=15, help="in real time")
    parser.add_argument("--lost-minutes", type=float, default=3, help="its recording killed again and again")
    options = parser.parse_args()
    demo = ("--source", "demo", "--speed")
    rows = []
    if options.fast_minutes:
        seen = soak((*demo, str(FAST)), options.fast_minutes / FAST)
        rows.append(judge(f"{options.fast_minutes:.0f} min of sound at {FAST}x", seen))
    if options.minutes:
        rows.append(judge(f"{options.minutes:.0f} min", soak((*demo, "1"), options.minutes)))
    if options.lost_minutes and shutil.which("pulseaudio"):
        with tempfile.TemporaryDirectory() as folder, sound_server(Path(folder), "pulseaudio") as server:
            seen = soak(("--source", "system"), options.lost_minutes, server.environment, kill_recording)
        rows.append(judge(f"{options.lost_minutes:.0f} min, recording killed {seen.reopened} times", seen))
    print("| part | memory, MB | KB/min | descriptors | threads | latency p99, ms | skipped | clients |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(line for line, _ in rows))
    grew = any(bad for _, bad in rows)
    print("something grew" if grew else "nothing grew")
    return int(grew)


def kill_recording(pid: int) -> None:
    """End the analyzer's recording as a crash would."""
    subprocess.run(["pkill", "-KILL", "-P", str(pid), "parec"], check=False)  # none while it is opened again


def judge(name: str, seen: Samples) -> tuple[str, bool]:
    """Return a row with the first and last third of each figure, and whether something grew."""
    settled = slice(int(WARM_UP * len(seen.minutes)), None)
    slope = float(np.polyfit(seen.minutes[settled], seen.resident_kb[settled], 1)[0])
    third = max(1, len(seen.latency_ms) // 3)
    first, last = (
        float(np.percentile(part, 99)) for part in (seen.latency_ms[:third], seen.latency_ms[-third:])
    )

    def ends(values: list[int]) -> tuple[int, int]:
        kept = values[settled]
        third = max(1, len(kept) // 3)
        return round(float(np.median(kept[:third]))), round(float(np.median(kept[-third:])))

    descriptors, threads = ends(seen.descriptors), ends(seen.threads)
    memory = [round(kb / 1e3) for kb in ends(seen.resident_kb)]
    grew = slope > MAX_SLOPE_KB_PER_MINUTE or descriptors[1] > descriptors[0] + 8
    grew |= threads[1] > threads[0] + 1 or last > 2 * first + 50
    return (
        f"| {name}, {seen.estimates} estimates | {memory[0]} to {memory[1]} | {slope:.0f} "
        f"| {descriptors[0]} to {descriptors[1]} | {threads[0]} to {threads[1]} "
        f"| {first:.0f} to {last:.0f} | {seen.skipped} | {seen.visits} |",
        grew,
    )


def soak(
    options: Sequence[str],
    minutes: float,
    environment: Mapping[str, str] = os.environ,
    disturb: Callable[[int], None] | None = None,
) -> Samples:
    """Run ``overheard listen``, and call ``disturb``, if given, every few seconds."""
    with tempfile.TemporaryDirectory() as folder:
        history = ("--history", str(Path(folder) / "history.sqlite"))
        return watched([*LISTEN, *options, *history], minutes, environment, disturb)


def watched(
    command: Sequence[str],
    minutes: float,
    environment: Mapping[str, str],
    disturb: Callable[[int], None] | None,
) -> Samples:
    """Observe an analyzer while it runs."""
    process = subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    found = re.search(r"ws://\S+", process.stderr.readline())
    assert found
    threading.Thread(target=process.stderr.read, daemon=True).start()
    seen, over = Samples(), threading.Event()
    others = [threading.Thread(target=visit, args=(found[0], seed, seen, over)) for seed in range(4)]
    watching = threading.Thread(target=watch, args=(found[0], seen, over))
    for thread in (*others, watching):
        thread.start()
    began = time.monotonic()
    while (now := time.monotonic() - began) < 60 * minutes and process.poll() is None:
        take(process.pid, now / 60, seen)
        if disturb is not None and len(seen.minutes) % DISTURBED_EVERY == 0:
            disturb(process.pid)
        over.wait(SAMPLE_SECONDS)
    over.set()
    assert process.poll() is None, "the analyzer ended"
    for thread in (*others, watching):
        thread.join()
    process.terminate()
    assert process.wait(timeout=20) == 0
    return seen


def take(pid: int, minutes: float, seen: Samples) -> None:
    """Add the present figures of the process to ``seen``."""
    status = Path(f"/proc/{pid}/status").read_text()
    sizes = {
        key: int(value.split()[0]) for key, value in re.findall(r"^(VmRSS|Threads):\s+(.+)$", status, re.M)
    }
    seen.minutes.append(minutes)
    seen.resident_kb.append(sizes["VmRSS"])
    seen.threads.append(sizes["Threads"])
    seen.descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))


def watch(address: str, seen: Samples, over: threading.Event) -> None:
    """A client that stays and reads everything."""
    with connect(address, max_size=1 << 20) as client:
        while not over.is_set():
            with suppress(TimeoutError):
                message = json.loads(client.recv(timeout=1))
                if message["type"] == "estimate":
                    seen.estimates += 1
                    seen.latency_ms.append(message["latency_ms"])
                elif message["type"] == "health":
                    seen.skipped, seen.reopened = message["windows_skipped"], message["reconnects"]


def visit(address: str, seed: int, seen: Samples, over: threading.Event) -> None:
    """Clients that come, some read, some do not, some leave without a word."""
    chance = random.Random(seed)
    while not over.is_set():
        with (
            suppress(OSError, WebSocketException, TimeoutError),
            connect(address, open_timeout=5) as client,
        ):
            seen.visits += 1
            if chance.random() < 0.5:
                client.send('{"type": "subscribe", "spectrum": true}')
            for _ in range(chance.randrange(30)):
                client.recv(timeout=1)
            if chance.random() < 0.3:
                over.wait(chance.random() * 3)  # connected, and reads nothing
            if chance.random() < 0.3:
                client.socket.close()
        over.wait(chance.random())


if __name__ == "__main__":
    sys.exit(main())
