"""Health of the pipeline and of its source, as counters and latencies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of recent latencies in milliseconds; all are 0 before the first latency."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class PipelineHealth:
    """Counters since the start, and latencies of recent windows.

    ``samples_lost`` are at the source's rate, seen as jumps of position; ``gaps`` counts those jumps;
    ``overruns`` are windows that took longer than a hop; ``windows_skipped`` came too late to be worth
    analyzing; ``real_time_factor`` is seconds of audio per second of work; ``latency_ms`` reaches from the
    capture of a window's last sample to its estimate.
    """

    blocks_received: int
    samples_lost: int
    gaps: int
    windows: int
    windows_skipped: int
    overruns: int
    real_time_factor: float
    latency_ms: Percentiles


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of a source beside its audio, since it was opened.

    ``error`` says why no audio arrives while the source is being opened again, and is empty otherwise;
    ``device`` is the device or address that the source reads at present; ``title`` is the station's current
    title; ``reconnects`` counts how often the source was opened again; ``overflows`` counts the losses that
    the device reported; ``dropped_blocks`` counts the blocks that the analysis was too slow for;
    ``drift_ppm`` says how much faster the device's clock runs than the machine's, None before it is known.
    """

    device: str = ""
    title: str = ""
    error: str = ""
    reconnects: int = 0
    overflows: int = 0
    dropped_blocks: int = 0
    drift_ppm: float | None = None
