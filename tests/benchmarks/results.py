"""Results of measurements, and their table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Result:
    """Measured value. ``ratio`` is how many times better it is than that of ``ratio_to``, or than a limit."""

    name: str
    value: float
    unit: str
    ratio_to: str = ""
    ratio: float | None = None


def milliseconds(work: Callable[[], object], runs: int) -> np.ndarray:
    """Return the wall time of each run in ms, after three runs to warm up, (runs,) float64."""
    for _ in range(3):
        work()
    times = np.empty(runs)
    for run in range(runs):
        started = time.perf_counter()
        work()
        times[run] = (time.perf_counter() - started) * 1e3
    return times


def medians_in_turns(works: Sequence[Callable[[], object]], runs: int, turns: int = 10) -> list[float]:
    """Return the median ms of each. They take turns, so that the machine's speed affects all alike."""
    times = [[milliseconds(work, runs // turns) for work in works] for _ in range(turns)]
    return [float(median) for median in np.median(times, axis=(0, 2))]


def against(name: str, value: float, unit: str, other: str, other_value: float) -> Result:
    """Make a result of which less is better. Its ratio is how many times less it is than the other."""
    return Result(name, value, unit, other, other_value / value)


def write(results: list[Result], path: Path) -> None:
    """Write ``{"results": [...]}``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(result).items()}
        for result in results
    ]
    path.write_text(json.dumps({"results": rows}, indent=1) + "\n", encoding="utf-8")


def table(results: list[Result]) -> str:
    """The same for people."""
    lines = [f"{'measurement':<58} {'value':>10} {'unit':<14} {'ratio':>7}  against"]
    for result in results:
        ratio = "" if result.ratio is None else f"{result.ratio:.1f}x"
        lines.append(
            f"{result.name:<58} {result.value:>10.2f} {result.unit:<14} {ratio:>7}  {result.ratio_to}"
        )
    return "\n".join(lines)
