"""Whole commands: time from the shell, memory and processor share of the child."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from models.audio.samples import Samples
from realtime.clock import SystemClock
from realtime.sources.file import open_demo
from tests.benchmarks.results import Result, against
from tests.support.audio import write

LONG_MINUTES = 60
SHORT_MINUTES = 5
LONG_HOP_SECONDS = 1.0
LISTEN_SECONDS = 30


def measure() -> list[Result]:
    """``analyze`` of five seconds and of an hour, and ``listen``."""
    with tempfile.TemporaryDirectory() as folder:
        sound, rate = music()
        five = write(Path(folder) / "five.wav", sound[: round(5.1 * rate)], rate)  # a window
        short = write(Path(folder) / "short.wav", np.resize(sound, SHORT_MINUTES * 60 * rate), rate)
        long = write(Path(folder) / "long.wav", np.resize(sound, LONG_MINUTES * 60 * rate), rate)
        start = min(analyse(five)[0] for _ in range(5))
        _, short_mb = analyse(short)
        long_seconds, long_mb = analyse(long)
        apart_seconds, _ = analyse(long, "--hop-seconds", str(LONG_HOP_SECONDS))
    real_time, apart = (LONG_MINUTES * 60 / seconds for seconds in (long_seconds, apart_seconds))
    return [
        against("analyze: 5 s of sound, start-up included", start, "s", "limit of 1.5 s", 1.5),
        Result(f"analyze: {LONG_MINUTES} min", real_time, "x real time", "goal of 60", real_time / 60),
        Result(
            f"analyze: {LONG_MINUTES} min at a hop of 1 s", apart, "x real time", "goal of 300", apart / 300
        ),
        Result(f"analyze: memory, {SHORT_MINUTES} min", short_mb, "MB"),
        against(f"analyze: memory, {LONG_MINUTES} min", long_mb, "MB", f"{SHORT_MINUTES} min", short_mb),
        *starts(),
        *listen("the default hop", 2.0),
        *listen("one column", 8.0, "--hop-seconds", "0.0871"),
    ]  # fmt: skip


def music() -> tuple[Samples, int]:
    """The demonstration once, and its rate in Hz."""
    source = open_demo(0.0, SystemClock())
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


def analyse(path: Path, *words: str) -> tuple[float, float]:
    """Seconds that ``overheard analyze`` takes, and its peak memory in MB."""
    command = [sys.executable, "-m", "realtime.cli", "analyze", "--json", *words, str(path)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    )
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (1e6 if sys.platform == "darwin" else 1e3)


def starts() -> list[Result]:
    """Time before the address and before the first estimate: the best of several runs."""
    addresses, firsts = [], []
    for _ in range(5):
        began = time.perf_counter()
        with listening() as process:
            assert process.stdout is not None
            assert process.stderr is not None
            while b"ws://" not in process.stderr.readline():
                assert process.poll() is None
            addresses.append(time.perf_counter() - began)
            process.stdout.readline()
            firsts.append(time.perf_counter() - began)
    return [
        against("listen: address", min(addresses), "s", "goal of 0.6 s", 0.6),
        Result("listen: first estimate, of which a window is filled for 5 s", min(firsts), "s"),
    ]


@contextmanager
def listening(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``overheard listen`` with the demonstration in real time."""
    command = [sys.executable, "-m", "realtime.cli", "listen", "--source", "demo", "--port", "0", "--json"]
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def listen(hop: str, goal: float, *words: str) -> list[Result]:
    """Processor share, ``goal`` in percent, and memory."""
    with listening(*words) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first estimate: start-up is over
        before, started = processor_seconds(process.pid), time.perf_counter()
        while time.perf_counter() - started < LISTEN_SECONDS:
            process.stdout.readline()
        share = (processor_seconds(process.pid) - before) / (time.perf_counter() - started) * 100
        kilobytes = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout
    return [
        against(f"listen: processor share at {hop}", share, "% of a core", f"goal of {goal:g} %", goal),
        against(f"listen: resident memory at {hop}", int(kilobytes) / 1e3, "MB", "goal of 150 MB", 150.0),
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
