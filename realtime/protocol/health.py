"""Health of the pipeline and of its source, as counters and latencies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of recent latencies in milliseconds. All are 0 before the first latency."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class PipelineHealth:
    """Counters since the start, and latencies of recent windows.

    Attributes
    ----------
    blocks_received : int
    samples_lost : int
        Missing samples at the source's rate, computed from jumps of the position.
    gaps : int
        Number of these jumps.
    windows : int
        Windows analyzed.
    windows_skipped : int
        Windows that came too late to be analyzed.
    overruns : int
        Windows that took longer than a hop.
    real_time_factor : float
        Seconds of audio per second of work.
    latency_ms : Percentiles
        From the capture of a window's last sample to its estimate.
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
    """Names, faults and counters of a source since the source was opened.

    Attributes
    ----------
    device : str
        Device or address that the source reads at present.
    title : str
        Current title of the station or the media player.
    artist : str
        Artist in the title. Empty if the title is not known in parts.
    song : str
        Song in the title. Empty if the title is not known in parts.
    error : str
        Reason why no audio arrives while the source is being reopened. Empty otherwise.
    reconnects : int
        Number of times that the source was reopened.
    overflows : int
        Losses that the device reported.
    dropped_blocks : int
        Blocks dropped because the analysis was too slow.
    drift_ppm : float or None
        Difference between the device's clock and the machine's, in parts per million. Positive if the device
        runs faster. None until it is measured.
    muted : str
        Sentence with the remedy if the sound system has muted the device. Empty otherwise, or if unknown.
    """

    device: str = ""
    title: str = ""
    artist: str = ""
    song: str = ""
    error: str = ""
    reconnects: int = 0
    overflows: int = 0
    dropped_blocks: int = 0
    drift_ppm: float | None = None
    muted: str = ""
