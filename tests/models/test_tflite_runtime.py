"""Real runs of the fallback: ``tflite-runtime`` 2.14 with NumPy 1, in an environment without LiteRT."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from tests.support.paths import DEMONSTRATION, ROOT

ENVIRONMENT = ROOT / "build" / "tflite-runtime"

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


def test_the_fallback_hears_the_same_as_litert() -> None:
    """Both run the same model. Kernels round differently, so that a label may change a window earlier.

    Kernels of dense layers with a scale for each filter once had constant outputs here.
    """
    arguments = ("analyze", "--json", "--hop-seconds", "4", str(DEMONSTRATION))
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
    assert len(ours) == len(theirs) > 60
    pairs = [(one["estimate"], other["estimate"]) for one, other in zip(ours[:-1], theirs[:-1], strict=True)]
    assert len({one["label"] for one, _ in pairs}) > 4
    assert sum(one["label"] == other["label"] for one, other in pairs) >= 0.9 * len(pairs)
    for one, other in pairs:
        assert one["confidence"] == pytest.approx(other["confidence"], abs=0.05)


def test_requiring_litert_names_the_missing_package() -> None:
    done = run_fallback("model", "--runtime", "litert")
    assert done.returncode == 2
    assert "install the package ai-edge-litert" in done.stderr
