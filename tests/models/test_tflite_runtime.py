"""Real runs of the fallback: ``tflite-runtime`` 2.14 with NumPy 1, in an environment without LiteRT."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.audio import noise, tone, write
from tests.support.paths import ROOT

ENVIRONMENT = ROOT / "build" / "tflite-runtime"
RATE = 22_050

pytestmark = [
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="needs Linux on x86-64"
    ),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="needs Python 3.11"),
]


def run_fallback(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ENVIRONMENT / "bin" / "overheard"
    if not command.exists():
        pytest.fail(f"{command} is missing; `.ci/setup test` creates it")
    return subprocess.run(
        [str(command), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def test_the_fallback_is_selected_without_litert() -> None:
    done = run_fallback("model")
    assert done.returncode == 0, done.stderr
    assert "runtime       tflite-runtime 2.14.0" in done.stdout


def test_the_fallback_gives_the_same_labels_as_litert(tmp_path: Path) -> None:
    """Both run the same int8 model. Rounding may differ in the last bit of a logit."""
    chords = sum(tone(hz, 10, amplitude=0.1) for hz in (262, 330, 392, 523))
    beat = noise(10 * RATE) * (np.arange(10 * RATE) % 11_025 < 1_500) * 0.5
    path = write(tmp_path / "sound.wav", np.concatenate([chords, beat, chords + beat]), RATE)
    arguments = ("analyze", "--json", "--hop-seconds", "1", str(path))
    here = subprocess.run(
        [sys.executable, "-m", "realtime.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    there = run_fallback(*arguments)
    assert there.returncode == 0, there.stderr
    ours, theirs = ([json.loads(line) for line in done.stdout.splitlines()] for done in (here, there))
    assert len(ours) == len(theirs) > 20
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert one["estimate"]["label"] == other["estimate"]["label"]
        assert one["estimate"]["confidence"] == pytest.approx(other["estimate"]["confidence"], abs=0.05)
    assert ours[-1]["label"] == theirs[-1]["label"]


def test_requiring_litert_names_the_missing_package() -> None:
    done = run_fallback("model", "--runtime", "litert")
    assert done.returncode == 2
    assert "install the package ai-edge-litert" in done.stderr
