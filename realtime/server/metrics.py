"""Metrics for Prometheus and the report of ``/healthz``, collected from the published messages."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from models.common.text import replace_surrogates
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HealthMessage, HelloMessage, Message, StateMessage

if TYPE_CHECKING:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' exposition format, which every version of Prometheus reads."""

LATENCY_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram in seconds. A fast machine needs about 40 ms. A hop takes 0.5 s."""
INFERENCE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the inference histogram in seconds. The shipped model needs 7 ms on a slow core."""

COUNTERS: Mapping[str, tuple[str, str]] = {
    "blocks_received": ("overheard_blocks", "Blocks of audio that the source delivered."),
    "samples_lost": ("overheard_samples_lost", "Samples missing from the stream, at the source's rate."),
    "gaps": ("overheard_gaps", "Places in the stream where samples are missing."),
    "windows": ("overheard_windows", "Windows analyzed."),
    "windows_skipped": ("overheard_windows_skipped", "Windows that came too late to be analyzed."),
    "overruns": ("overheard_overruns", "Windows that took longer than a hop."),
    "overflows": ("overheard_overflows", "Losses that the device itself reported."),
    "dropped_blocks": ("overheard_dropped_blocks", "Blocks dropped because the analysis was too slow."),
    "reconnects": ("overheard_reopened", "Number of times that the source was reopened."),
}
"""Name (without the suffix ``_total``) and help text of the metric for each counter of health messages."""


class Metrics:
    """Metrics of each source, of clients and of rejected connections.

    Parameters
    ----------
    hellos : iterable of HelloMessage
        Hello messages of the sources known from the start.
    """

    def __init__(self, hellos: Iterable[HelloMessage] = ()) -> None:
        self._states: dict[str, StreamState] = {}
        self._health: dict[str, HealthMessage] = {}
        self._estimates: Counter[str] = Counter()
        self._latency: dict[str, _Histogram] = {}
        self._inference: dict[str, _Histogram] = {}
        self._rejected: Counter[str] = Counter()
        self._clients = 0
        for hello in hellos:
            self.update(hello)

    @property
    def states(self) -> dict[str, StreamState]:
        """State of each source, as a copy."""
        return dict(self._states)

    def update(self, message: Message) -> None:
        """Count a message. Messages without numbers are ignored."""
        source = message.source
        if isinstance(message, HelloMessage):
            self._latency.setdefault(source, _Histogram(LATENCY_BOUNDS))
            self._inference.setdefault(source, _Histogram(INFERENCE_BOUNDS))
            self._estimates.setdefault(source, 0)
        if isinstance(message, HelloMessage | StateMessage):
            self._states[source] = message.state
        elif isinstance(message, HealthMessage):
            self._health[source] = message
        elif isinstance(message, EstimateMessage):
            self._estimates[source] += 1
            self._latency.setdefault(source, _Histogram(LATENCY_BOUNDS)).add(message.latency_ms / 1000)
            self._inference.setdefault(source, _Histogram(INFERENCE_BOUNDS)).add(message.inference_ms / 1000)

    def remove(self, source: str) -> None:
        """Remove the metrics of a source."""
        for by_source in (self._states, self._health, self._estimates, self._latency, self._inference):
            by_source.pop(source, None)

    def count_rejection(self, reason: str) -> None:
        """Count a connection that was rejected or ended. ``reason`` is one of a few fixed names."""
        self._rejected[reason] += 1

    def render(self, clients: int) -> str:
        """Write all metrics as text for Prometheus.

        Parameters
        ----------
        clients : int
            Number of connected clients.
        """
        # Importing the library takes 40 ms, which only the first request for metrics needs.
        from prometheus_client import CollectorRegistry, generate_latest

        self._clients = clients
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics. ``prometheus_client`` calls this method."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        yield GaugeMetricFamily("overheard_clients", "Websocket clients connected.", value=self._clients)
        rejected = CounterMetricFamily(
            "overheard_connections_refused",
            "Connections rejected or closed by the server.",
            labels=["reason"],
        )
        for reason, count in sorted(self._rejected.items()):
            rejected.add_metric([reason], count)
        yield rejected
        states = GaugeMetricFamily(
            "overheard_state",
            "1 for the state that the source is in, 0 for all others.",
            labels=["source", "state"],
        )
        for source, current in self._states.items():
            for state in StreamState:
                states.add_metric([replace_surrogates(source, "replace"), state.value], int(state is current))
        yield states
        estimates = CounterMetricFamily("overheard_estimates", "Estimates published.", labels=["source"])
        _add(estimates, self._estimates)
        yield estimates
        speed = GaugeMetricFamily(
            "overheard_real_time_factor", "Seconds of audio analyzed per second of work.", labels=["source"]
        )
        _add(speed, {source: health.real_time_factor for source, health in self._health.items()})
        yield speed
        for field, (name, description) in COUNTERS.items():
            counter = CounterMetricFamily(name, description, labels=["source"])
            _add(counter, {source: getattr(health, field) for source, health in self._health.items()})
            yield counter
        yield _histogram_family(
            "overheard_latency_seconds", "From a window's last sample to its estimate.", self._latency
        )
        yield _histogram_family("overheard_inference_seconds", "Time that the model took.", self._inference)


def health_report(
    states: Mapping[str, StreamState], clients: int, uptime_seconds: float, *, full: bool = True
) -> tuple[int, str]:
    """Return the HTTP status and the body of a health check.

    Parameters
    ----------
    states : mapping of str to StreamState
        State of each source.
    clients : int
        Number of connected clients.
    uptime_seconds : float
    full : bool
        Include names and numbers, not only the status.

    Returns
    -------
    tuple of int and str
        200, or 503 if a source is in a faulty state. The body is JSON.
    """
    degraded = any(state.is_fault for state in states.values())
    report: dict[str, object] = {
        "status": "degraded" if degraded else "ok",
        "sources": {source: state.value for source, state in states.items()},
        "clients": clients,
        "uptime_seconds": round(uptime_seconds, 1),
    }
    if not full:
        report = {"status": report["status"]}
    body = json.dumps(report) + "\n"  # ASCII, because names may hold any characters
    return (503 if degraded else 200), body


class _Histogram:
    """Histogram of values in seconds. The bounds are ascending."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)  # the last is for values above every bound
        self.sum = 0.0

    def add(self, value: float) -> None:
        if math.isfinite(value):  # one NaN would make the sum NaN permanently
            self._counts[bisect_left(self._bounds, value)] += 1
            self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Pair each bound with the number of values up to it."""
        pairs, total = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            pairs.append((bound, float(total)))
        return pairs


def _add(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]) -> None:
    for source, value in values.items():
        family.add_metric([replace_surrogates(source, "replace")], value)


def _histogram_family(
    name: str, description: str, histograms: Mapping[str, _Histogram]
) -> HistogramMetricFamily:
    from prometheus_client.metrics_core import HistogramMetricFamily

    family = HistogramMetricFamily(name, description, labels=["source"])
    for source, histogram in histograms.items():
        family.add_metric(
            [replace_surrogates(source, "replace")],
            buckets=histogram.buckets(),
            sum_value=round(histogram.sum, 9),
        )
    return family
