"""Percentiles of latencies."""

from __future__ import annotations

from realtime.pipeline.analyzer import LATENCY_WINDOWS, LatencyMeter
from realtime.protocol.health import Percentiles


def test_latency_percentiles_are_of_the_recent_past() -> None:
    meter = LatencyMeter()
    assert meter.percentiles() == Percentiles(0, 0, 0)
    for value in range(1_000):
        meter.add(value)
    first = 1_000 - LATENCY_WINDOWS
    assert meter.percentiles().p50 == first + LATENCY_WINDOWS // 2 - 1
    assert meter.percentiles().p99 == first + 237  # the 238th of 240
