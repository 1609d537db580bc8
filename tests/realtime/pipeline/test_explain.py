"""``overheard analyze --explain``, and the tempo of a file."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from models.audio.file import decode_file
from models.audio.samples import Samples
from realtime.audio.source import AudioBlock
from realtime.pipeline.explain import TempoEstimator
from tests.support.audio import write
from tests.support.cli import run_main
from tests.support.paths import DEMONSTRATION
from training.data.windows import SAMPLE_RATE

RATE = 22_050


@pytest.mark.parametrize("tempo", [90, 120])
def test_clicks_have_their_tempo(tempo: int) -> None:
    assert estimate_tempo(clicks(tempo, 40)) == pytest.approx(tempo, rel=0.04)


def test_little_sound_and_steady_sound_have_no_tempo() -> None:
    assert estimate_tempo(clicks(120, 5)) is None
    assert estimate_tempo(np.zeros(RATE * 20, np.float32)) is None


def test_analyze_explains_a_file(tmp_path: Path) -> None:
    part = decode_file(str(DEMONSTRATION), SAMPLE_RATE)[60 * SAMPLE_RATE : 80 * SAMPLE_RATE]
    song = write(tmp_path / "song.flac", part, SAMPLE_RATE, "flac")
    done = run_main("analyze", "--json", "--explain", str(song))
    assert done.returncode == 0, done.stderr
    *_, seen, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert summary["type"] == "summary"
    assert seen["type"] == "picture"
    assert seen["label"] == summary["label"]
    assert len(base64.b64decode(seen["picture"])) == seen["side"] ** 2 * 3
    assert np.shape(seen["falls"]) == (13, 13)
    assert max(map(max, seen["falls"])) <= seen["probability"]
    assert 40 <= summary["beats_per_minute"] <= 240


def test_explaining_is_for_json(tmp_path: Path) -> None:
    done = run_main("analyze", "--explain", str(tmp_path / "a.wav"))
    assert done.returncode == 2
    assert "--json" in done.stderr


def clicks(tempo: int, seconds: float) -> Samples:
    """Generate a decaying noise burst on every beat, (n,) float32."""
    samples = np.zeros(int(seconds * RATE), np.float32)
    burst = np.random.default_rng(0).normal(0, 0.3, RATE // 20) * np.exp(-np.linspace(0, 8, RATE // 20))
    for start in range(0, len(samples) - len(burst), round(RATE * 60 / tempo)):
        samples[start : start + len(burst)] += burst.astype(np.float32)
    return samples


def estimate_tempo(samples: Samples) -> float | None:
    meter = TempoEstimator(len(samples) / RATE)
    for start in range(0, len(samples), 4096):
        meter.add(AudioBlock(samples[start : start + 4096], start, RATE, start / RATE))
    return meter.beats_per_minute()
