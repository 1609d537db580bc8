"""Metrics text, checked with a strict parser of the format of Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from typing import Any

import pytest
from msgspec.structs import replace

from realtime.protocol.builders import health_message
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import HealthMessage
from realtime.server.metrics import COUNTERS, Metrics, health_report
from tests.support.paths import ROOT
from tests.support.websocket_client import estimate, hello, state

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (\+Inf|-?\d[\d.e+-]*)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Parse all samples by name and labels. Text that violates the format fails.

    Every family has HELP and then TYPE once, before its samples. No sample occurs twice. The buckets of a
    histogram rise, end at +Inf, and agree with its count.
    """
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    kinds: dict[str, str] = {}
    assert text.endswith("\n")
    lines = iter(text[:-1].split("\n"))
    family = ""
    for line in lines:
        if line.startswith("# HELP "):
            family, description = line.removeprefix("# HELP ").split(" ", 1)
            assert description
            assert family not in kinds
            assert next(lines).startswith(f"# TYPE {family} ")
            kinds[family] = text.split(f"# TYPE {family} ")[1].split("\n")[0]
            assert kinds[family] in ("counter", "gauge", "histogram")
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, inner, value = match[1], match[2] or "", float(match[3])
        suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], f"{name} stands under {family}"
        assert (kinds[family] == "counter") == name.endswith("_total")
        labels = tuple((label, unescaped(content)) for label, content in LABEL.findall(inner))
        assert labels not in samples[name], f"{line} comes twice"
        samples[name][labels] = value
    for family, kind in kinds.items():
        if kind == "histogram":
            check_histogram(family, samples)
    return samples


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def check_histogram(family: str, samples: dict[str, dict[tuple[tuple[str, str], ...], float]]) -> None:
    for labels, count in samples[f"{family}_count"].items():
        buckets = [
            (dict(each)["le"], value)
            for each, value in samples[f"{family}_bucket"].items()
            if tuple(pair for pair in each if pair[0] != "le") == labels
        ]
        bounds = [float(bound) for bound, _ in buckets]
        values = [value for _, value in buckets]
        assert bounds == sorted(set(bounds))
        assert buckets[-1][0] == "+Inf"
        assert values == sorted(values)
        assert values[-1] == count
        assert labels in samples[f"{family}_sum"]


def health(source: str = "fake", **fields: Any) -> HealthMessage:
    pipeline = PipelineHealth(0, 0, 0, 0, 0, 0, 30.5, Percentiles(1.0, 1.0, 1.0))
    return replace(health_message(source, 0.0, pipeline, SourceStatus(), 0), **fields)


def source_of(name: str) -> tuple[tuple[str, str], ...]:
    return (("source", name),)


def test_an_analyzer_that_just_started_has_its_zeros() -> None:
    samples = read(Metrics([hello("mic")]).render(0))
    assert samples["overheard_clients"] == {(): 0}
    assert samples["overheard_estimates_total"] == {source_of("mic"): 0}
    assert samples["overheard_latency_seconds_count"] == {source_of("mic"): 0}
    assert samples["overheard_samples_lost_total"] == {}, "nothing is known before the first health message"
    read(Metrics().render(0))


def test_estimates_fall_into_buckets_and_add_up() -> None:
    metrics = Metrics([hello("mic"), hello("system")])
    for latency_ms, inference_ms in ((10.0, 1.0), (10.1, 7.0), (40.0, 7.5), (99_000.0, 2_000.0)):
        message = estimate("jazz", source="mic")
        metrics.update(replace(message, latency_ms=latency_ms, inference_ms=inference_ms))
    samples = read(metrics.render(3))
    assert samples["overheard_clients"][()] == 3
    assert samples["overheard_estimates_total"] == {source_of("mic"): 4, source_of("system"): 0}
    buckets = {dict(labels)["le"]: n for labels, n in samples["overheard_latency_seconds_bucket"].items()
               if dict(labels)["source"] == "mic"}  # fmt: skip
    assert (buckets["0.01"], buckets["0.025"], buckets["0.05"], buckets["10.0"], buckets["+Inf"]) == (
        1,
        2,
        3,
        3,
        4,
    )
    assert samples["overheard_latency_seconds_sum"][source_of("mic")] == pytest.approx(99.0601)
    assert samples["overheard_inference_seconds_sum"][source_of("mic")] == pytest.approx(2.0155)
    assert samples["overheard_latency_seconds_count"][source_of("system")] == 0


def test_the_counters_of_health_messages_are_shown_source_by_source() -> None:
    metrics = Metrics([hello("mic"), hello("system")])
    metrics.update(health("mic", **{field: number for number, field in enumerate(COUNTERS, start=1)}))
    metrics.update(health("system", samples_lost=10**12, real_time_factor=2.25))
    samples = read(metrics.render(0))
    for number, field in enumerate(COUNTERS, start=1):
        name = {"blocks_received": "blocks", "reconnects": "reopened"}.get(field, field)
        assert COUNTERS[field][0] == f"overheard_{name}"
        assert samples[f"overheard_{name}_total"][source_of("mic")] == number
    assert samples["overheard_samples_lost_total"][source_of("system")] == 10**12
    assert samples["overheard_real_time_factor"] == {source_of("mic"): 30.5, source_of("system"): 2.25}


def test_the_state_is_one_of_all() -> None:
    metrics = Metrics([hello()])
    for current in StreamState:
        metrics.update(state(current.value))
        samples = read(metrics.render(0))["overheard_state"]
        assert len(samples) == len(StreamState)
        assert [dict(labels)["state"] for labels, value in samples.items() if value] == [current.value]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\\n", '\\"', "Mikrofon ä 🎤", "", 'x"} 1\nevil 2'])
def test_a_name_cannot_inject_metrics(name: str) -> None:
    metrics = Metrics([hello(name)])
    metrics.update(estimate("jazz", source=name))
    assert read(metrics.render(0))["overheard_estimates_total"] == {source_of(name): 1}


def test_a_name_with_lone_surrogates_can_be_sent() -> None:
    assert 'source="a?.mp3"' in Metrics([hello("a\udcff.mp3")]).render(0).encode().decode()


def test_nan_does_not_spoil_the_sum() -> None:
    metrics = Metrics([hello()])
    metrics.update(replace(estimate("jazz"), latency_ms=float("nan"), inference_ms=float("inf")))
    metrics.update(replace(estimate("jazz"), latency_ms=50.0, inference_ms=5.0))
    samples = read(metrics.render(0))
    assert samples["overheard_latency_seconds_sum"] == {source_of("fake"): 0.05}
    assert samples["overheard_inference_seconds_count"] == {source_of("fake"): 1}


def test_rejections_are_counted_by_reason() -> None:
    metrics = Metrics()
    for reason in ("token", "origin", "token"):
        metrics.count_rejection(reason)
    samples = read(metrics.render(0))["overheard_connections_refused_total"]
    assert samples == {(("reason", "origin"),): 1, (("reason", "token"),): 2}


@pytest.mark.parametrize("current", list(StreamState))
def test_health_is_bad_when_a_source_gives_nothing_although_it_should(current: StreamState) -> None:
    states = {"mic": StreamState.LISTENING, "b\udcff": current}
    status, text = health_report(states, 2, 12.345)
    report = json.loads(text.encode("ascii"))
    assert report["sources"] == {"mic": "LISTENING", "b\udcff": current.value}
    assert (report["clients"], report["uptime_seconds"]) == (2, 12.3)
    assert (status, report["status"]) == ((503, "degraded") if current.is_fault else (200, "ok"))


def test_states_are_a_copy() -> None:
    metrics = Metrics([hello()])
    metrics.states.clear()
    assert metrics.states == {"fake": StreamState.CONNECTING}


def test_a_source_that_was_removed_is_in_no_metric() -> None:
    metrics = Metrics([hello("mic"), hello("radio")])
    for name in ("mic", "radio"):
        metrics.update(estimate("jazz", source=name))
        metrics.update(health(name))
    metrics.remove("radio")
    text = metrics.render(0)
    assert "mic" in text
    assert "radio" not in text


def test_the_library_is_loaded_with_the_first_metrics_and_not_before() -> None:
    """Loading prometheus_client takes 40 ms, a quarter of the start of the analyzer."""
    script = (
        "import sys; from realtime.server.metrics import Metrics; "
        "metrics, name = Metrics(), 'prometheus_client'; "
        "print(name in sys.modules); metrics.render(0); print(name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == ["False", "True"]
