"""``make bench``: measure, print a table and write ``build/bench.json``. ``--short`` takes only seconds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# One thread everywhere, before NumPy and TensorFlow read it.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


def main() -> None:
    """Run everything once."""
    from tests.benchmarks import cli, compute_limit, peers, results, station_capacity, window

    parts = [window.measure]
    if "--short" not in sys.argv:
        parts += [peers.measure, compute_limit.measure, cli.measure]
        if sys.platform == "linux":
            parts.append(station_capacity.measure)
        if shutil.which("pulseaudio"):
            from tests.benchmarks import end_to_end_latency

            parts.append(end_to_end_latency.measure)
    found: list[results.Result] = []
    for part in parts:
        measured = part()
        print(results.table(measured), flush=True)
        found += measured
    results.write(found, Path("build") / "bench.json")


if __name__ == "__main__":
    main()
