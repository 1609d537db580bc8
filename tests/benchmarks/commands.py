"""Whole commands: time from the shell, memory and processor share of the child."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from realtime.clock import SystemClock
from realtime.frames import Samples
from realtime.sources import demonstration
from tests.benchmarks.results import Result, against
from tests.sounds import write

LONG_MINUTES = 30
SHORT_MINUTES = 5
LISTEN_SECONDS = 30


def measure() -> list[Result]:
    """``analyze`` of five seconds and of half an hour, and ``listen``."""
    with tempfile.TemporaryDirectory() as folder:
        sound, rate = music()
        five = write(Path(folder) / "five.wav", sound[: 5 * rate], rate)
        short = write(Path(folder) / "short.wav", np.resize(sound, SHORT_MINUTES * 60 * rate), rate)
        long = write(Path(folder) / "long.wav", np.resize(sound, LONG_MINUTES * 60 * rate), rate)
        start = min(analyse(five)[0] for _ in range(5))
        _, short_mb = analyse(short)
        long_seconds, long_mb = analyse(long)
    real_time = LONG_MINUTES * 60 / long_seconds
    return [
        against("analyze: 5 s of sound, start-up included", start, "s", "limit of 1.5 s", 1.5),
        Result(f"analyze: {LONG_MINUTES} min", real_time, "x real time", "goal of 60", real_time / 60),
        Result(f"analyze: memory, {SHORT_MINUTES} min", short_mb, "MB"),
        against(f"analyze: memory, {LONG_MINUTES} min", long_mb, "MB", f"{SHORT_MINUTES} min", short_mb),
        *listen(),
    ]  # fmt: skip


def music() -> tuple[Samples, int]:
    """The demonstration once, and its rate in Hz."""
    source = demonstration(0.0, SystemClock())
    assert source.duration_seconds is not None
    wanted = int(source.duration_seconds * source.sample_rate)
    blocks = itertools.takewhile(lambda block: block.position < wanted, source.blocks())
    return np.concatenate([block.samples for block in blocks]), source.sample_rate


MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)
seconds = time.perf_counter() - started
assert b'"type":"summary"' in done.stdout.splitlines()[-1]
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small parent of its own: a child's peak memory begins with that of the process it was split from."""


def analyse(path: Path) -> tuple[float, float]:
    """Seconds that ``overheard analyze`` takes, and its peak memory in MB."""
    command = [sys.executable, "-m", "realtime.cli", "analyze", "--json", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    )
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (1e6 if sys.platform == "darwin" else 1e3)


def listen() -> list[Result]:
    """Memory and processor share of ``overheard listen`` with the demonstration in real time."""
    command = [sys.executable, "-m", "realtime.cli", "listen", "--source", "demo", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()  # the first estimate: start-up is over
        before, started = processor_seconds(process.pid), time.perf_counter()
        while time.perf_counter() - started < LISTEN_SECONDS:
            process.stdout.readline()
        share = (processor_seconds(process.pid) - before) / (time.perf_counter() - started)
        kilobytes = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout
        process.terminate()
    return [
        against(
            "listen: processor share at the default hop", share * 100, "% of a core", "limit of 10 %", 10.0
        ),
        against("listen: resident memory", int(kilobytes) / 1e3, "MB", "limit of 250 MB", 250.0),
    ]


def processor_seconds(pid: int) -> float:
    """User and system time of a running child in seconds."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    command = ["ps", "-o", "cputime=", "-p", str(pid)]  # macOS: minutes:seconds
    minutes, seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(":")
    return 60 * float(minutes) + float(seconds)
