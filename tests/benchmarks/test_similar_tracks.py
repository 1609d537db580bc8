"""Benchmark of the search for similar tracks."""

from __future__ import annotations

import re

from tests.benchmarks.similar_tracks import measure


def test_a_line_has_time_and_memory() -> None:
    line = measure(2000)
    assert re.fullmatch(r"2,000 tracks: [\d.]+ \(p95 [\d.]+\) ms for a query .* MB", line), line
