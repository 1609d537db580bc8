"""``make bench``: measure, print a table, write ``build/bench.json``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# One thread everywhere, before NumPy and TensorFlow read it.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


def main() -> None:
    """Run everything once."""
    from tests.benchmarks import commands, results, window

    found = [*window.measure(), *commands.measure()]
    if shutil.which("pulseaudio"):
        from tests.benchmarks import impulse

        found += impulse.measure()
    results.write(found, Path("build") / "bench.json")
    print(results.table(found))


if __name__ == "__main__":
    main()
