"""A report of made-up predictions, and manifests from it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.manifest import ModelManifest
from training.data.eval_sets import EvalSet
from training.data.geometries import COARSE, FINE
from training.data.gtzan import LABELS
from training.evaluation.predictions import Predictions
from training.evaluation.report import Report, calibrate

PROTOCOLS = [
    {"protocol": "fault_filtered", "network": "A", "accuracy": 0.7, "deviation": 0.01, "runs": [0.7]},
    {"protocol": "random_folds", "network": "A", "accuracy": 0.9, "deviation": 0.01, "runs": [0.9]},
]


PROVENANCE = {
    "commit": None, "distilled_sha256": "0123456789ab", "cache_index_sha256": "ba9876543210", "seed": 0,
    "recipe": {"probe": 1000, "runs": 2, "steps": 1600}, "mixture": {"batch": 8}, "shipped_backbone": True,
}  # fmt: skip


def make_predictions(seed: int, windows: int, right: float = 3.0) -> Predictions:
    """Predict eighteen tracks of ``windows`` windows, two per genre except metal, mostly correctly."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.array([g for g in range(10) if LABELS[g] != "metal"]), 2)
    track = np.repeat(np.arange(len(labels)), windows)
    logits = random.normal(0, 1, (len(track), 11))
    logits[np.arange(len(track)), labels[track]] += right
    logits[:, -1] = 2.0
    return Predictions(logits, EvalSet(np.zeros((len(track), 1, 1), np.uint8), track, labels))


@pytest.fixture(scope="module")
def report() -> Report:
    valid = {"fine": make_predictions(0, 1), "coarse": make_predictions(1, 3)}
    history = [
        {"step": step, "loss": 3.0 / step, "best": step == 20}
        | {f"{geometry} {name}": 1.0 / step for geometry in valid for name in ("first", "track", "nll")}
        for step in (10, 20)
    ]
    return Report(
        "coarse", history, valid, {"fine": make_predictions(2, 1), "coarse": make_predictions(3, 3)},
        {"fine": make_predictions(2, 1), "coarse": make_predictions(4, 3)}, calibrate(valid, "coarse"),
        {"songs": {"tracks": 9, "accuracy": 0.625, "macro_recall": 0.5, "macro_genres": ["blues"],
         "recall": {"blues": 0.5}, "confident": 0.75, "accuracy_when_confident": 0.8}},
        {"speech pyAudioAnalysis": {"clips": 4, "share": 0.125, "share_as_recorded": 0.25}},
        {"gtzan_arrays": 18, "gtzan_audio": 3, "heard_by_teachers": 4,
         "recordings": {"blues": 2, "rock": 7}},
        {"this model, int8": 2.5, "this model, float32": 7.25}, {"this model, int8": 3_000_000,
        "this model, float32": 11_000_000}, PROVENANCE,
    )  # fmt: skip


def make_manifest(folder: Path, report: Report, **changes: Any) -> ModelManifest:
    content = str(sorted(changes)).encode()
    (folder / "genre.tflite").write_bytes(content)
    metrics = changes["metrics"] if "metrics" in changes else report.metrics(PROTOCOLS)
    manifest = ModelManifest(
        "overheard-genre", "2", "genre.tflite", hashlib.sha256(content).hexdigest(), LABELS, COARSE,
        "int8 convolutions", report.calibration, metrics, ("made up",), "MIT",
        folder / "genre.tflite", (FINE,),
    )  # fmt: skip
    return replace(manifest, **changes)
