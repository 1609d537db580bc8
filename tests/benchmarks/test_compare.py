"""Regressions that ``make bench-check`` rejects, and the figures that the benchmarks assume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.manifest import ModelManifest
from tests.benchmarks import compare, compute_limit, peers, station_capacity
from tests.benchmarks.results import Result, against, write
from tests.benchmarks.window import hops
from tests.support.paths import ROOT


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a baseline, and room for a run."""
    monkeypatch.setattr(compare, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(compare, "FOUND", tmp_path / "bench.json")
    write(
        [against("columns", 1, "ms", "all", 8), against("start", 2, "s", "goal of 1 s", 1)], compare.BASELINE
    )
    return tmp_path


@pytest.mark.parametrize(("times", "code"), [(9.0, 0), (5.7, 0), (5.5, 1)])
def test_a_ratio_may_fall_by_what_is_noise(
    compared: Path, capsys: pytest.CaptureFixture[str], times: float, code: int
) -> None:
    write(
        [against("columns", 1, "ms", "all", times), against("start", 9, "s", "goal of 1 s", 1)], compare.FOUND
    )
    assert compare.main() == code
    said = capsys.readouterr().err
    assert ("columns: 5.50, was 8.00; at least 5.60 is required" in said) == bool(code)


def test_a_whole_run_lacks_nothing_but_what_its_machine_has_not() -> None:
    baseline = {"window: Keras": 9.0, "stage: GRU": 0.5, "window: tflite-runtime": 12.0, "100 stations": 1.0}
    assert compare.worse({"window: Keras": 9.0}, baseline) == ["stage: GRU: was not measured"]
    assert compare.worse({"columns": 2.0}, baseline | {"columns": 2.0}) == []


def test_a_run_without_ratios_is_no_proof(compared: Path) -> None:
    write([Result("columns", 1, "ms")], compare.FOUND)
    assert compare.main() == 2


def test_a_hop_ends_in_a_message() -> None:
    hop_on = hops()
    said = [hop_on() for _ in range(3)]
    assert all('"type":"estimate"' in message for messages in said for message in messages)
    assert [len(messages) for messages in said] == [1, 1, 1]


def test_work_is_counted_from_the_shipped_file() -> None:
    """By hand: the first convolution has 128 x 32 outputs of 32 channels, and a kernel of 3 x 12 x 3."""
    whole = compute_limit.multiply_accumulates(ModelManifest.load().read_model())
    assert whole > 128 * 32 * 32 * (3 * 12 * 3)
    assert whole == pytest.approx(124e6, rel=0.01)


def test_the_network_can_be_cut_after_every_stage() -> None:
    layers = {layer.name for layer in peers.network().get_layer("after_first").layers}
    assert layers >= set(compute_limit.STAGES.values())


def test_every_peer_is_measured_by_its_name() -> None:
    times = peers.times_of("ours")
    assert len(times) == peers.RUNS["ours"]
    assert (times > 0).all()
    assert np.median(times) < 1_000


def test_one_station_is_measured_and_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(station_capacity, "SECONDS", 3.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = {result.name.rpartition(": ")[2]: result.value for result in station_capacity.measure([1])}
    assert 0 < found["processor"] < 2
    assert 10 < found["memory"] < 1_000
    assert (tmp_path / "build" / "streams.png").read_bytes().startswith(b"\x89PNG")
