"""Scorecards of ``overheard evaluate``, modified models, and a small library of tones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.manifest import ModelManifest
from models.metrics import expected_calibration_error
from realtime.config import Settings, SmoothingSettings
from tests.support.audio import tone, write
from tests.support.cli import copy_model, run_main

LABELS = ModelManifest.load().labels
RATE = 22_050
TONE_HZ = {"blues": 300, "jazz": 5_500, "rock": 9_500}
"""Frequencies that ``LoudestRowClassifier`` predicts as these genres."""
UNSMOOTHED = replace(Settings(), smoothing=SmoothingSettings(0, 0, 0))


def run_evaluate(*arguments: str) -> dict[str, Any]:
    """Run ``overheard evaluate --json`` and return the scorecard."""
    done = run_main("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    card = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert isinstance(card, dict)
    return card


def write_model(folder: Path, **changes: object) -> str:
    """Copy the shipped model with changed fields of the manifest, and return the manifest's path."""
    path, fields = copy_model(folder)
    path.write_text(json.dumps(fields | changes))
    return str(path)


def check_scorecard(card: dict[str, Any], probabilities: npt.NDArray[np.float64], truth: list[int]) -> None:
    """Compare a scorecard with figures that are computed here from probabilities and true genres."""
    predicted, confidence = probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1)
    rows = [[0] * len(LABELS) for _ in LABELS]
    for genre, prediction in zip(truth, predicted, strict=True):
        rows[genre][prediction] += 1
    assert card["confusion"] == {"labels": list(LABELS), "rows": rows}
    right = np.array(truth) == predicted
    assert card["tracks"] == len(truth)
    assert card["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    assert card["ece"] == pytest.approx(expected_calibration_error(probabilities, np.array(truth)), abs=2e-4)
    answered = confidence >= ModelManifest.load().calibration.unsure_below
    assert card["unsure"] == pytest.approx(1 - answered.mean(), abs=1e-4)
    expected = round(float(right[answered].mean()), 4) if answered.any() else None
    assert card["answered_accuracy"] == expected
    low, high = card["accuracy_interval"]
    assert 0 <= low <= card["accuracy"] <= high <= 1
    for number, label in enumerate(LABELS):
        if number in truth:
            assert card["recall"][label] == pytest.approx(rows[number][number] / sum(rows[number]), abs=1e-4)
            assert 0 <= card["f1"][label] <= 1
        else:
            assert card["recall"][label] is card["f1"][label] is None


@pytest.fixture(scope="module")
def tone_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two tones of 10.5 s for each genre, in folders and with a table of artists, and a short tone."""
    folder = tmp_path_factory.mktemp("library")
    lines = ["file,genre,artist"]
    (folder / "table").mkdir()
    for genre, hertz in TONE_HZ.items():
        (folder / "sounds" / genre).mkdir(parents=True)
        for number in range(2):
            path = write(folder / "sounds" / genre / f"{number}.wav", tone(hertz + 50 * number, 10.5), RATE)
            (folder / "table" / f"{genre}-{number}.wav").write_bytes(path.read_bytes())
            lines.append(f"{genre}-{number}.wav,{genre},{genre} artist {number}")
    write(folder / "sounds" / "blues" / "short.wav", tone(300, 3), RATE)
    (folder / "table.csv").write_text("\n".join([*lines, ""]))
    return folder
