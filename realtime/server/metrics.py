"""Numbers for Prometheus and the answer to health checks, from the messages that are published anyway.

``update`` takes messages, ``render`` returns text in Prometheus' exposition format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from models.common.text import storable
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import EstimateMessage, HealthMessage, HelloMessage, Message, StateMessage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; a good machine needs about 40 ms, and past a hop (0.5 s) answers are late."""
INFERENCE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds; the shipped model needs 7 ms on a slow core."""

COUNTERS: Mapping[str, str] = {
    "blocks_received": "Blocks of sound taken in.",
    "samples_lost": "Samples missing from the stream, at the rate of the source.",
    "gaps": "Jumps in the stream.",
    "windows": "Windows analysed.",
    "windows_skipped": "Windows that came too late to be worth analysing.",
    "overruns": "Windows that took longer than a hop.",
    "overflows": "Losses that the device itself reported.",
    "dropped_blocks": "Blocks that the analysis was too slow for.",
    "reconnects": "How often the source was opened again.",
}
"""Fields of health messages that only rise, and their help."""

METRIC_NAMES = {"blocks_received": "blocks", "reconnects": "reopened"}
"""Names of metrics that differ from their fields; dashboards of Prometheus rely on them."""


class Metrics:
    """What has been heard of each source; never more than a few numbers for each.

    Parameters
    ----------
    hellos : iterable of HelloMessage
        One for each source known from the start.
    """

    def __init__(self, hellos: Iterable[HelloMessage] = ()) -> None:
        self._states: dict[str, StreamState] = {}
        self._health: dict[str, HealthMessage] = {}
        self._estimates: Counter[str] = Counter()
        self._latency: dict[str, _Histogram] = {}
        self._inference: dict[str, _Histogram] = {}
        self._refused: Counter[str] = Counter()
        for hello in hellos:
            self.update(hello)

    @property
    def states(self) -> dict[str, StreamState]:
        """The state of each source; a copy."""
        return dict(self._states)

    def update(self, message: Message) -> None:
        """Take one message in; types that carry no numbers are ignored."""
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

    def forget(self, source: str) -> None:
        """The source is served no more, and its numbers are shown no more."""
        for kept in (self._states, self._health, self._estimates, self._latency, self._inference):
            kept.pop(source, None)

    def count_refusal(self, reason: str) -> None:
        """One connection was refused or ended; ``reason`` is one of a few fixed words."""
        self._refused[reason] += 1

    def render(self, clients: int) -> str:
        """Everything as text.

        Parameters
        ----------
        clients : int
            How many are connected now.
        """
        lines = [
            *_family("overheard_clients", "gauge", "Websocket clients connected.", [({}, clients)]),
            *_family(
                "overheard_connections_refused_total",
                "counter",
                "Connections refused or ended by the server.",
                (({"reason": reason}, count) for reason, count in sorted(self._refused.items())),
            ),
            *_family(
                "overheard_state",
                "gauge",
                "1 for the state that the source is in, 0 for all others.",
                (
                    ({"source": source, "state": state.value}, int(state is current))
                    for source, current in self._states.items()
                    for state in StreamState
                ),
            ),
            *_family(
                "overheard_estimates_total",
                "counter",
                "Estimates published.",
                (({"source": source}, count) for source, count in self._estimates.items()),
            ),
            *_family(
                "overheard_real_time_factor",
                "gauge",
                "Seconds of sound analysed in a second of work.",
                self._of_health("real_time_factor"),
            ),
        ]
        for field, told in COUNTERS.items():
            name = METRIC_NAMES.get(field, field)
            lines += _family(f"overheard_{name}_total", "counter", told, self._of_health(field))
        lines += _histograms(
            "overheard_latency_seconds", "From the last sound of a window to its estimate.", self._latency
        )
        lines += _histograms("overheard_inference_seconds", "Time the model took.", self._inference)
        return "\n".join(lines) + "\n"

    def _of_health(self, field: str) -> Iterator[tuple[dict[str, str], float]]:
        for source, health in self._health.items():
            yield {"source": source}, getattr(health, field)


def health_report(
    states: Mapping[str, StreamState], clients: int, uptime_seconds: float, *, full: bool = True
) -> tuple[int, str]:
    """The HTTP status and the body that a health check gets; names and numbers only when it is ``full``.

    Returns
    -------
    int, str
        200 while every source gives what it should, 503 when one does not; the body is JSON.
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
    return (503 if degraded else 200), json.dumps(report) + "\n"  # in ASCII: names may hold anything


class _Histogram:
    """How many values lie up to each bound; bounds are in seconds and rise."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)  # the last is for values above every bound
        self._sum = 0.0

    def add(self, value: float) -> None:
        if math.isfinite(value):  # one NaN would make the sum useless for ever
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def samples(self, name: str, labels: Mapping[str, str]) -> Iterator[str]:
        total = 0
        for bound, count in zip((*self._bounds, math.inf), self._counts, strict=True):
            total += count
            yield _sample(f"{name}_bucket", {**labels, "le": _number(bound)}, total)
        yield _sample(f"{name}_sum", labels, round(self._sum, 9))
        yield _sample(f"{name}_count", labels, total)


def _family(
    name: str, kind: str, told: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _histograms(name: str, told: str, histograms: Mapping[str, _Histogram]) -> Iterator[str]:
    yield from _family(name, "histogram", told, ())
    for source, histogram in histograms.items():
        yield from histogram.samples(name, {"source": source})


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    """A label's value; what is no Unicode, as in the names of some files, becomes a question mark."""
    known = storable(text, "replace")
    return known.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)
