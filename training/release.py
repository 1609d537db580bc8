"""Making of the shipped model: train, choose, calibrate, export, score, and say so.

Training tracks train, validation tracks choose and calibrate, test tracks are scored at the
end and choose nothing, on the very bytes that ship.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from models.manifest import SHIPPED, Calibration, ModelManifest
from models.spectrogram import AudioSpec
from training import export
from training.calibrate import choose_unsure_below, fit_temperature
from training.card import model_card
from training.evaluate import Scores, score
from training.features import FeaturesByPooling
from training.gtzan import LABELS, Gtzan
from training.network import STUDY_CNN, STUDY_CNN_GRU, Variant, assemble, backbone, time_keeping
from training.representatives import representatives
from training.splits import Indices, fault_filtered
from training.train import Recipe, Trained, train_head

VERSION = "1"
CARD = "MODEL_CARD.md"
WITHIN_NOISE = 0.02
"""Validation has about 150 tracks: one standard error is 4 points, so 2 points decide nothing."""

CANDIDATES = {
    STUDY_CNN: Recipe(learning_rate=1e-3, epochs=150, l2=0.03),
    STUDY_CNN_GRU: Recipe(learning_rate=3e-4, patience=5, l2=1e-3),
    time_keeping(32, 1): Recipe(learning_rate=1e-3, epochs=150, l2=0.03),
    time_keeping(32): Recipe(learning_rate=1e-3, epochs=150, l2=0.03),
}
"""What is compared, each with its recipe, settled on tracks of the training and validation parts.

The full-width ones are for comparison: see ``choose``.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured while a model was made; all of it goes into manifest and model card."""

    chosen: Variant
    seed: int
    candidates: tuple[Trained, ...]
    valid: Scores
    test_int8: Scores
    test_float: Scores
    agreement: float
    largest_logit_difference: float
    bytes_int8: int
    bytes_float: int
    answered: float
    answered_accuracy: float

    def metrics(self, protocols: list[dict[str, Any]]) -> dict[str, Any]:
        """The manifest's ``metrics``, rounded."""
        test = asdict(self.test_int8)
        return {
            "network": self.chosen.name,
            "protocols": protocols,
            "fault_filtered_valid_accuracy": round(self.valid.accuracy, 4),
            "fault_filtered_test": {
                "tracks": self.test_int8.tracks,
                "accuracy_int8": round(self.test_int8.accuracy, 4),
                "accuracy_float32": round(self.test_float.accuracy, 4),
                "top1_agreement_int8_float32": round(self.agreement, 4),
                "ece_int8": round(self.test_int8.ece, 4),
                "nll_int8": round(self.test_int8.nll, 4),
                "f1_int8": {label: round(f1, 3) for label, f1 in zip(LABELS, test["f1"], strict=True)},
                "confusion_int8": test["confusion"],
                "answered_at_unsure_below": round(self.answered, 4),
                "accuracy_of_answered": round(self.answered_accuracy, 4),
            },
        }


def choose(candidates: Sequence[Trained]) -> Trained:
    """Pick what ships, by validation alone.

    Only half-width variants are quick enough to ship. They are compared by their mean validation
    accuracy over seeds. Of those within ``WITHIN_NOISE`` of the best, the one that keeps time wins,
    then the smaller GRU. Its seed with the lowest validation loss ships.

    Raises
    ------
    ValueError
        No candidate has half the width.
    """
    variants = list(dict.fromkeys(t.variant for t in candidates if t.variant.time_pooling == 2))
    if not variants:
        raise ValueError("no candidate has time_pooling 2; a network of full width is too slow to ship")
    accuracy = {v: np.mean([t.valid_accuracy for t in candidates if t.variant == v]) for v in variants}
    best = max(accuracy.values())
    close = [v for v in variants if accuracy[v] >= best - WITHIN_NOISE]
    chosen = min(close, key=lambda v: (not v.keeps_time, v.gru_units))
    return min((t for t in candidates if t.variant == chosen), key=lambda t: t.valid_loss)


def release(
    gtzan: Gtzan,
    features: FeaturesByPooling,
    spec: AudioSpec,
    out: Path,
    *,
    protocols: list[dict[str, Any]],
    seeds: Sequence[int] = (0, 1, 2),
    float_out: Path = Path("build/genre_float32.tflite"),
) -> ModelManifest:
    """Make the model and write ``genre.tflite``, ``genre.json`` and the model card.

    Parameters
    ----------
    features : mapping of int to (n, steps, 1280) float32
        Of ``gtzan.tracks``, in order, for the ``time_pooling`` of every candidate.
    out : Path
        Folder; made if need be.
    protocols : list of dict
        From ``training.evaluate.protocols_as_json``, for the model card.
    float_out : Path
        Where the float32 model goes; it is for comparison and does not ship.
    """
    split, labels = fault_filtered(gtzan.tracks), gtzan.labels
    train, valid = (
        {pooling: (of_all[part], labels[part]) for pooling, of_all in features.items()}
        for part in (split.train, split.valid)
    )
    candidates = tuple(
        train_head(v, train[v.time_pooling], valid[v.time_pooling], genres=len(LABELS), seed=seed, recipe=r)
        for v, r in CANDIDATES.items()
        for seed in seeds
    )
    best = choose(candidates)
    _log.info("%s with seed %d ships", best.variant.name, best.seed)
    network = assemble(best.variant, best.head)
    sample = representatives(gtzan, split.train, spec, backbone(best.variant.time_pooling))
    content = export.convert(network, (gtzan.picture(index, spec) for index in sample))
    content_float = export.convert(network, None)
    quantization = export.read_quantization(content)

    def logits(model: bytes, part: Indices) -> npt.NDArray[np.float64]:
        return export.run(model, (gtzan.picture(index, spec) for index in part))

    valid_logits = logits(content, split.valid)
    temperature = round(fit_temperature(valid_logits, labels[split.valid]), 4)
    valid_probabilities = softmax(valid_logits / temperature)
    unsure_below = choose_unsure_below(valid_probabilities, labels[split.valid])

    test_int8, test_float = logits(content, split.test), logits(content_float, split.test)
    truth = labels[split.test]
    probabilities = softmax(test_int8 / temperature)
    sure = probabilities.max(axis=1) >= unsure_below
    report = Report(
        chosen=best.variant,
        seed=best.seed,
        candidates=candidates,
        valid=score(valid_probabilities, labels[split.valid]),
        test_int8=score(probabilities, truth),
        test_float=score(softmax(test_float / temperature), truth),
        agreement=float((test_int8.argmax(axis=1) == test_float.argmax(axis=1)).mean()),
        largest_logit_difference=float(np.abs(test_int8 - test_float).max()),
        bytes_int8=len(content),
        bytes_float=len(content_float),
        answered=float(sure.mean()),
        answered_accuracy=float((probabilities.argmax(axis=1) == truth)[sure].mean()),
    )
    for folder in (out, float_out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    float_out.write_bytes(content_float)
    model_path = (out / SHIPPED).with_suffix(".tflite")
    manifest = ModelManifest(
        name="overheard-genre",
        version=VERSION,
        file=model_path.name,
        sha256=export.sha256(content),
        labels=LABELS,
        audio=spec,
        quantization=quantization,
        calibration=Calibration(
            temperature, unsure_below, f"{len(split.valid)} validation tracks of the fault-filtered split"
        ),
        metrics=report.metrics(protocols),
        training_data=(
            f"GTZAN (Tzanetakis and Cook, 2002), {len(split.train)} tracks: the training part of the "
            "fault-filtered split, first 5 s of each; no recording is included",
            "ImageNet, through torchvision's MobileNetV2 weights (BSD-3-Clause)",
        ),
        licence="MIT",
        model_path=model_path,
    )
    model_path.write_bytes(content)
    manifest.save(out / SHIPPED)
    (out / CARD).write_text(model_card(manifest, report), encoding="utf-8")
    return manifest
