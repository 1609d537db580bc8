"""Time and memory of a search for similar tracks: ``python -m tests.benchmarks.similar_tracks [TRACKS]``.

Embeddings and names are generated. The figures are seconds of one core, so other programs hardly change them.
Set ``OPENBLAS_NUM_THREADS=1``, because waiting threads of NumPy count, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from tests.support.similar_tracks import generated_index

QUERIES = 100


def measure(tracks: int) -> str:
    """Return a line with the time of a query and the memory of the index."""
    index = generated_index(tracks)
    query = percentiles(lambda row: index.neighbors(index.embedding(row), 10, like=index.track(row)))
    found = percentiles(lambda row: index.find(index.track(row).uri))
    return (
        f"{tracks:,} tracks: {query} ms for a query of ten neighbors, {found} ms to find a file, "
        f"{index.bytes / 1e6:.0f} MB"
    )


def percentiles(act: Callable[[int], object]) -> str:
    """Format the median and the 95th percentile of the processor time, in milliseconds."""
    act(0)
    durations = []
    for row in range(QUERIES):
        started = time.process_time()
        act(row)
        durations.append((time.process_time() - started) * 1e3)
    median, high = np.percentile(durations, (50, 95))
    return f"{median:.1f} (p95 {high:.1f})"


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ("10000", "100000")):
        print(measure(size))
