"""Making of the shipped model: fine-tune, choose, calibrate, export, score, and say so.

Training tracks train, validation tracks choose and calibrate, test tracks are scored at the
end and choose nothing, on the very bytes that ship.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.common.paths import atomic_write
from models.manifest import SHIPPED, ModelManifest
from models.metrics import compute_scores
from training.data.augmentation import Intensities
from training.data.corpus import Corpus, Entry
from training.data.eval_sets import array_eval_set, recording_eval_set, render_images
from training.data.geometries import COARSE, FINE, GEOMETRIES
from training.data.gtzan import LABELS
from training.data.partitions import Partition, fault_filtered
from training.errors import DataError
from training.evaluation.latency import (
    SHIPPED_FLOAT,
    SHIPPED_INT8,
    STUDY_INT8,
    convert_study_network,
    measure_latencies,
)
from training.evaluation.predictions import Predictions
from training.evaluation.report import Report, calibrate, count_data, non_music_scores, out_of_domain_scores
from training.export import tflite
from training.export.bias_correction import correct_biases
from training.export.calibration_samples import representative_dataset
from training.finetuning.checkpoint import checkpoint_name, checkpoint_paths
from training.finetuning.recipe import FineTuningRecipe
from training.finetuning.train import tensorboard_logger, train
from training.networks.pretrained import DISTILLED_WEIGHTS as TAUGHT
from training.networks.study import STUDY_CNN_GRU
from training.release.provenance import is_shipped_backbone, record_provenance

VERSION: Final = "3"
CARD_FILE: Final = "MODEL_CARD.md"
PLOTS_FILE: Final = "MODEL_CARD.png"

CALIBRATION_CANDIDATES: Final = 240
"""Training pictures that set the ranges of the int8 activations."""


@dataclass(frozen=True, slots=True)
class ReleaseArtifacts:
    """A model as training left it: int8 and float32 flatbuffers, the history, and what it was made from."""

    int8: bytes
    float32: bytes
    history: list[dict[str, Any]]
    provenance: dict[str, Any]


def release(
    corpus: Corpus,
    out: Path,
    *,
    protocols: Sequence[dict[str, Any]] = (),
    recipe: FineTuningRecipe | None = None,
    seed: int = 0,
    taught: Path = TAUGHT,
    logs: Path = Path("build/logs"),
    float_out: Path = Path("build/genre_float32.tflite"),
) -> ModelManifest:
    """Make the model and write ``genre.tflite``, ``genre.json``, the model card and its plots.

    Parameters
    ----------
    out : Path
        Folder; made if need be.
    protocols : list of dict
        For the model card; see ``training.study.protocols``.
    logs : Path
        TensorBoard logs, and the checkpoint from which a stopped training goes on.
    float_out : Path
        Where the float32 model goes; it is for comparison and does not ship.
    """
    from training.networks.genre import build_export_network

    parts = fault_filtered(corpus)
    recipe = recipe or FineTuningRecipe()
    made_from = record_provenance(corpus, recipe, seed=seed, taught=taught)
    name = checkpoint_name(corpus, parts, recipe, seed=seed, taught=taught)
    checkpoint = logs / f"release-{name}.checkpoint"
    network, history = train(
        corpus,
        parts,
        recipe,
        seed=seed,
        taught=taught,
        log=tensorboard_logger(logs / "release"),
        checkpoint=checkpoint,
    )
    sample = _calibration_candidates(corpus, parts.train)
    sample = sample[representative_dataset(network, sample)]
    whole = tflite.TracedModel(build_export_network(network, len(LABELS)))
    float32 = whole.convert(None)
    correct_biases(whole.network, sample)
    made = ReleaseArtifacts(
        whole.convert(render_images(sample)),
        float32,
        history,
        made_from | {"taught_by_musicnn": is_shipped_backbone(taught)},
    )
    manifest = publish(corpus, made, out, protocols=protocols, float_out=float_out)
    for each in checkpoint_paths(
        checkpoint, recipe
    ):  # or the next release would go on from a training that is over
        each.unlink(missing_ok=True)
    return manifest


def remeasure(
    corpus: Corpus, manifest: ModelManifest, float_path: Path, *, protocols: Sequence[dict[str, Any]]
) -> ModelManifest:
    """Measure a released model again and rewrite its manifest, card and plots; its bytes stay as they are.

    Raises
    ------
    DataError
        The float32 twin is missing.
    """
    try:
        content_float = float_path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {float_path}, which train release wrote: {error.strerror}") from error
    metrics = manifest.metrics
    made = ReleaseArtifacts(
        manifest.read_model(), content_float, metrics["learning_curve"], metrics["provenance"]
    )
    return publish(corpus, made, manifest.model_path.parent, protocols=protocols, float_out=float_path)


def publish(
    corpus: Corpus, made: ReleaseArtifacts, out: Path, *, protocols: Sequence[dict[str, Any]], float_out: Path
) -> ModelManifest:
    """Choose the picture, calibrate and score a model on its very bytes, and write all that ships."""
    from training.release.model_card import render_model_card
    from training.release.plots import draw_plots

    parts = fault_filtered(corpus)
    content = made.int8
    quantization = tflite.read_quantization(content)

    def measure(model: bytes, entries: Sequence[Entry]) -> dict[str, Predictions]:
        scored = {form: array_eval_set(corpus, entries, LABELS, spec) for form, spec in GEOMETRIES.items()}
        return {
            form: Predictions(tflite.run_model(model, render_images(s.intensities)), s)
            for form, s in scored.items()
        }

    valid = measure(content, parts.valid)
    main = max(
        GEOMETRIES,
        key=lambda form: compute_scores(valid[form].first(1.0), valid[form].scored.labels).accuracy,
    )
    calibration = calibrate(valid, main)
    report = Report(
        main, made.history, valid, measure(content, parts.test), measure(made.float32, parts.test),
        len(content), len(made.float32), calibration, parts,
    )  # fmt: skip
    report.elsewhere = out_of_domain_scores(corpus, parts, content, main, calibration.temperature)
    report.not_music = non_music_scores(corpus, parts, content, main, calibration)
    report.data, report.provenance = count_data(corpus, parts), made.provenance
    report.taught_by_musicnn = bool(made.provenance["taught_by_musicnn"])
    study = convert_study_network(_calibration_candidates(corpus, parts.train)[::8])
    timed = {SHIPPED_INT8: content, SHIPPED_FLOAT: made.float32, STUDY_INT8: study}
    report.latency_ms, report.bytes = (
        measure_latencies(timed),
        {name: len(each) for name, each in timed.items()},
    )
    model_path = (out / SHIPPED).with_suffix(".tflite")
    manifest = ModelManifest(
        name="overheard-genre",
        version=VERSION,
        file=model_path.name,
        sha256=tflite.sha256(content),
        labels=LABELS,
        audio=GEOMETRIES[main],
        quantization=quantization,
        calibration=calibration,
        metrics=report.metrics(protocols) | {"learning_curve": made.history},
        training_data=_describe_training_data(parts, report.taught_by_musicnn),
        licence="MIT",
        model_path=model_path,
        also_reads=tuple(spec for form, spec in GEOMETRIES.items() if form != main),
    )
    card, plots = render_model_card(manifest, report), io.BytesIO()
    draw_plots(report, plots, latency_points(report, protocols))
    written = {
        out / SHIPPED: manifest.to_json().encode(),
        float_out: made.float32,
        model_path: content,
        out / CARD_FILE: card.encode(),
        out / PLOTS_FILE: plots.getvalue(),
    }
    with ExitStack() as files:  # all are there whole before the first is replaced, the manifest as the last
        for path, each in written.items():
            files.enter_context(atomic_write(path)).write(each)
    return manifest


def latency_points(report: Report, protocols: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``name``, ``ms`` and ``accuracy`` on the fault-filtered test part of every network that was timed.

    The study's network is left out where the protocols do not tell its accuracy.
    """
    accuracy = {SHIPPED_INT8: report.scores(report.main).accuracy}
    accuracy[SHIPPED_FLOAT] = report.scores(report.main, of="test_float").accuracy
    for entry in protocols:
        if (entry["protocol"], entry["network"]) == ("fault_filtered", STUDY_CNN_GRU.name):
            accuracy[STUDY_INT8] = entry["accuracy"]
    return [
        {"name": name, "ms": ms, "accuracy": accuracy[name]}
        for name, ms in report.latency_ms.items()
        if name in accuracy
    ]


def _calibration_candidates(corpus: Corpus, train: Sequence[Entry]) -> Intensities:
    """Training pictures of every genre in both forms, and of sounds that are no music."""
    listed = sorted((e for e in train if e.source == "gtzan"), key=lambda entry: entry.genre)
    step = max(1, 2 * len(listed) // CALIBRATION_CANDIDATES)
    places = [array_eval_set(corpus, listed[::step], LABELS, FINE).intensities]
    places.append(array_eval_set(corpus, listed[1::step], LABELS, COARSE).intensities[::10])
    others = [e for e in train if e.source != "gtzan"]
    others = others[:: max(1, len(others) // 40)]
    places += [recording_eval_set(corpus, [e], LABELS, FINE, genre=LABELS[0]).intensities[:1] for e in others]
    return np.concatenate(places)


def _describe_training_data(parts: Partition, musicnn: bool) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for entry in parts.train:
        counts[entry.source] = counts.get(entry.source, 0) + 1
    listed = ", ".join(f"{source} {count}" for source, count in sorted(counts.items()))
    tracks = (
        f"{len(parts.train)} tracks by source: {listed}; GTZAN (Tzanetakis and Cook, 2002) as the training "
        "part of the fault-filtered split; no recording is included"
    )
    if not musicnn:
        return tracks, "what the weights that the training began with, and the teacher, were made from"
    return (
        tracks,
        "what musicnn (Pons and Serra, 2019), trained on the Million Song Dataset, heard in recordings of "
        "these and, for the weights that the training began with, in music that is neither GTZAN's nor by "
        "artists kept for checking; whom the Million Song Dataset holds is not known",
        "ImageNet, through torchvision's MobileNetV2 weights (BSD-3-Clause)",
    )
