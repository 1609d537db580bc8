"""Equal estimates of one file from `analyze`, from `listen` and from a callback like that of PortAudio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from models.classifier import load_classifier
from models.manifest import ModelManifest
from realtime.capture import LiveSource
from realtime.capture.live_source import Stop
from realtime.clock import SystemClock
from realtime.config import Settings
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.builders import estimate_payload
from realtime.sources import FileSource
from tests.support.audio import noise, tone, write
from tests.support.cli import run_command, run_main

RATE = 44_100
SECONDS = 27


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make half a minute of changing sound in stereo at 44.1 kHz, with silence inside."""
    stereo = changing()
    return write(tmp_path_factory.mktemp("music") / "music.wav", stereo, RATE)


def changing() -> npt.NDArray[np.float64]:
    """Generate (n, 2) samples."""
    n = 8 * RATE
    beat = noise(n) * (np.arange(n) % (RATE // 2) < 3_000) * 0.5
    chords = sum(tone(hz, 8, RATE, 0.1) for hz in (262, 330, 392, 523))
    mono = np.concatenate([chords, np.zeros(3 * RATE), beat + 0.1 * tone(80, 8, RATE), chords + beat])
    return np.stack([mono, 0.8 * mono], axis=1)


def from_command(*words: str) -> list[dict[str, Any]]:
    run = run_command if words[0] == "listen" else run_main  # signals belong to a program's own process
    done = run(*words)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [comparable(line) for line in lines if line["type"] == "estimate"]


def comparable(message: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a message that do not depend on the time of the analysis."""
    kept = ("start_seconds", "end_seconds", "level_dbfs", "has_gap", "estimate")
    return {key: message[key] for key in kept} | {"classified": message["inference_ms"] > 0}


def from_callback(music: Path, manifest: str | Path = "") -> Iterator[dict[str, Any]]:
    """Deliver blocks of uneven sizes as a callback does, and analyze them."""
    clock = SystemClock()
    classifier = load_classifier(manifest)
    whole = np.concatenate([block.samples for block in FileSource(str(music), clock).blocks()])

    def idle(source: LiveSource) -> Stop:
        return lambda: None

    source = LiveSource("callback", RATE, idle, clock)
    analyzer = Analyzer(classifier, Settings(), RATE, clock)
    analyses = []
    blocks = source.blocks()
    position, sizes = 0, (512, 441, 1_024, 64, 2_000)
    while position < len(whole):
        size = sizes[position % len(sizes)]
        source.deliver(whole[position : position + size])
        analyses += list(analyzer.process(next(blocks)))
        position += size
    source.close()
    analyses += list(analyzer.flush())
    audio = classifier.manifest.audio
    for analysis in analyses:
        estimate = analysis.estimate
        yield {
            "start_seconds": round(estimate.position / audio.sample_rate, 3),
            "end_seconds": round((estimate.position + audio.window_samples) / audio.sample_rate, 3),
            "level_dbfs": round(estimate.level_dbfs, 1),
            "has_gap": estimate.has_gap,
            "estimate": msgspec.to_builtins(estimate_payload(estimate)),
            "classified": analysis.prediction is not None,
        }


def test_three_ways_give_equal_estimates(music: Path) -> None:
    analysed = from_command("analyze", "--json", str(music))
    audio = ModelManifest.load().audio
    hop = audio.hop_columns * audio.column_step / audio.sample_rate
    starts = [row["start_seconds"] for row in analysed]
    assert starts == pytest.approx(np.arange(len(starts)) * hop, abs=1e-3)
    assert 0 <= SECONDS - analysed[-1]["end_seconds"] < hop
    assert {row["estimate"]["state"] for row in analysed} > {"SILENT"}
    assert from_command("listen", "--json", "--source", str(music), "--speed", "0", "--port", "0") == analysed
    assert list(from_callback(music)) == analysed


@pytest.mark.training
def test_three_ways_give_equal_tags_and_moods(music: Path, tagged_model: Path) -> None:
    model = ("--manifest", str(tagged_model))
    analysed = from_command("analyze", "--json", *model, str(music))
    assert len({json.dumps(row["estimate"]["tags"]) for row in analysed}) > 3, "the tags must change"
    with_mood = [row["estimate"] for row in analysed if row["estimate"]["mood"] is not None]
    assert with_mood
    assert {estimate["state"] for estimate in with_mood} <= {"LISTENING", "UNSURE"}
    rest = ("--source", str(music), "--speed", "0", "--port", "0")
    assert from_command("listen", "--json", *model, *rest) == analysed
    assert list(from_callback(music, tagged_model)) == analysed


def test_a_finer_hop_passes_through_the_same_windows(tmp_path: Path) -> None:
    """With a hop of one column some windows equal those of the default hop to the last bit."""
    music = write(tmp_path / "end.wav", changing()[-12 * RATE :], RATE)
    coarse = from_command("analyze", "--json", "--half-life-seconds", "0", str(music))
    fine = from_command("analyze", "--json", "--half-life-seconds", "0", "--hop-seconds", "0.06", str(music))
    by_start = {row["start_seconds"]: row["estimate"]["probabilities"] for row in fine}
    assert len(fine) > 5 * len(coarse)
    assert all(row["classified"] for row in coarse)
    for row in coarse:
        assert by_start[row["start_seconds"]] == row["estimate"]["probabilities"]
