"""Release of the shipped model: train, choose, calibrate, export, evaluate, and document it.

Training tracks train, validation tracks choose and calibrate, and test tracks are evaluated at the end and
choose nothing. The evaluation reads the very bytes that ship.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from models.common.paths import atomic_write
from models.manifest import SHIPPED, ModelManifest, Tag
from training.data.corpus import Corpus, Entry, exclude_artists_of
from training.data.eval_sets import array_eval_set, recording_eval_set, render_images
from training.data.geometries import ARRAY_GEOMETRIES, GEOMETRIES, LIVE
from training.data.gtzan import LABELS
from training.data.partitions import Partition, fault_filtered
from training.distillation.distill import VALIDATION_EVERY_NTH, distillation_entries
from training.errors import DataError
from training.evaluation.held_out import non_music_scores, out_of_domain_scores
from training.evaluation.latency import (
    SHIPPED_FLOAT,
    SHIPPED_INT8,
    STUDY_INT8,
    convert_study_network,
    measure_latencies,
)
from training.evaluation.predictions import Predictions
from training.evaluation.report import TESTED, Report, calibrate, count_data
from training.evaluation.similarity import similarity_scores
from training.export import tflite
from training.finetuning.checkpoint import checkpoint_name, checkpoint_paths
from training.finetuning.recipe import TrainingRun
from training.finetuning.step_log import tensorboard_logger
from training.finetuning.train import train
from training.networks.auxiliary import AuxiliaryOutputs
from training.networks.study import STUDY_CNN_GRU
from training.release.model_card import render_model_card
from training.release.plots import draw_plots
from training.release.provenance import record_provenance
from training.tags.fit import fit_auxiliary_outputs

VERSION: Final = "4"
CARD_FILE: Final = "MODEL_CARD.md"
PLOTS_FILE: Final = "MODEL_CARD.png"


@dataclass(frozen=True, slots=True)
class ReleasePaths:
    """Folders and files that a release writes.

    Attributes
    ----------
    out : Path
        Folder of model, manifest, model card and plots, created if missing.
    logs : Path
        Folder of TensorBoard logs and of the checkpoints from which a stopped training continues.
    float32 : Path
        File of the float32 model, which serves comparison and does not ship.
    """

    out: Path
    logs: Path = Path("build/logs")
    float32: Path = Path("build/genre_float32.tflite")


@dataclass(frozen=True, slots=True)
class ReleaseArtifacts:
    """A trained model.

    Attributes
    ----------
    int8, float32 : bytes
        Flatbuffers.
    history : list of dict
        Values of each validation of the training.
    provenance : dict
    tags : tuple of Tag
        Tags of the second output, empty if there is none.
    tag_measures : list of dict
        Measures of all tags; see ``AuxiliaryOutputs``.
    embedding_size : int
        Values of the last output, 0 if there is none.
    """

    int8: bytes
    float32: bytes
    history: list[dict[str, Any]]
    provenance: dict[str, Any]
    tags: tuple[Tag, ...] = ()
    tag_measures: list[dict[str, Any]] = field(default_factory=list)
    embedding_size: int = 0


def release(
    corpus: Corpus, run: TrainingRun, paths: ReleasePaths, *, protocols: Sequence[dict[str, Any]] = ()
) -> ModelManifest:
    """Train the model, and write ``genre.tflite``, ``genre.json``, the model card and its plots.

    Parameters
    ----------
    corpus : Corpus
    run : TrainingRun
        Its partition must be ``fault_filtered(corpus)``.
    paths : ReleasePaths
    protocols : list of dict
        Protocol records for the model card.
    """
    provenance = record_provenance(corpus, run)
    checkpoint = paths.logs / f"release-{checkpoint_name(corpus, run)}.checkpoint"
    log = tensorboard_logger(paths.logs / "release")
    network, history = train(corpus, run, log=log, checkpoint=checkpoint)
    auxiliary = fit_auxiliary_outputs(corpus, network, *_tag_tracks(corpus, run.partition))
    int8, float32 = export(network, auxiliary)
    artifacts = ReleaseArtifacts(int8, float32, history, provenance)
    if auxiliary is not None:
        size = auxiliary.embedding_weights[1].size
        artifacts = replace(
            artifacts, tags=auxiliary.tags, tag_measures=auxiliary.measures, embedding_size=size
        )
    manifest = publish(corpus, artifacts, paths, protocols=protocols)
    for path in checkpoint_paths(checkpoint, run.recipe):
        path.unlink(missing_ok=True)  # otherwise the next release would continue a finished training
    return manifest


def _tag_tracks(corpus: Corpus, partition: Partition) -> tuple[list[Entry], list[Entry]]:
    """Return the tracks that fit the tags, and those that choose and measure them.

    The latter are validation recordings, and the tracks that the distillation did not train on.
    """
    spared = distillation_entries(corpus)[::VALIDATION_EVERY_NTH]
    choosing = exclude_artists_of(spared, [*partition.test, *partition.test_recordings])
    names = {entry.file for entry in choosing}
    fitting = exclude_artists_of(partition.train, choosing)
    return [e for e in fitting if e.file not in names], [*partition.valid_recordings, *choosing]


def export(network: Any, auxiliary: AuxiliaryOutputs | None = None) -> tuple[bytes, bytes]:
    """Convert a trained network, with int8 kernels and with float32.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``.
    auxiliary : AuxiliaryOutputs, optional
    """
    from training.networks.genre import build_export_network

    float32 = tflite.convert(build_export_network(network, len(LABELS), auxiliary))
    return tflite.quantize_weights(float32), float32


def remeasure(
    corpus: Corpus, manifest: ModelManifest, float32_path: Path, *, protocols: Sequence[dict[str, Any]]
) -> ModelManifest:
    """Measure a released model again and rewrite its manifest, card and plots, but not its bytes.

    Raises
    ------
    DataError
        If the float32 model is missing.
    """
    try:
        float32 = float32_path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {float32_path}, which train release wrote: {error.strerror}") from error
    metrics = manifest.metrics
    artifacts = ReleaseArtifacts(
        manifest.read_model(),
        float32,
        metrics["learning_curve"],
        metrics["provenance"],
        manifest.tags,
        metrics.get("tags", []),
        manifest.embedding_size,
    )
    paths = ReleasePaths(manifest.model_path.parent, float32=float32_path)
    return publish(corpus, artifacts, paths, protocols=protocols)


def publish(
    corpus: Corpus, artifacts: ReleaseArtifacts, paths: ReleasePaths, *, protocols: Sequence[dict[str, Any]]
) -> ModelManifest:
    """Calibrate and evaluate a model, and write all files of the release."""
    partition = fault_filtered(corpus)
    report = _measure(corpus, partition, artifacts)
    model_path = (paths.out / SHIPPED).with_suffix(".tflite")
    manifest = ModelManifest(
        name="overheard-genre",
        version=VERSION,
        file=model_path.name,
        sha256=tflite.sha256(artifacts.int8),
        labels=LABELS,
        audio=GEOMETRIES[report.main],
        quantization=tflite.SCHEME,
        calibration=report.calibration,
        metrics=report.metrics(protocols)
        | {"tags": artifacts.tag_measures, "learning_curve": artifacts.history},
        training_data=_describe_training_data(partition, documented=artifacts.provenance["shipped_backbone"]),
        licence="MIT",
        model_path=model_path,
        also_reads=tuple(spec for geometry, spec in GEOMETRIES.items() if geometry != report.main),
        tags=artifacts.tags,
        embedding_size=artifacts.embedding_size,
    )
    plots = io.BytesIO()
    draw_plots(report, plots, latency_points(report, protocols))
    contents = {
        paths.float32: artifacts.float32,
        model_path: artifacts.int8,
        paths.out / CARD_FILE: render_model_card(manifest).encode(),
        paths.out / PLOTS_FILE: plots.getvalue(),
        paths.out / SHIPPED: manifest.to_json().encode(),
    }
    with (
        ExitStack() as files
    ):  # every file is complete before the first is replaced, the manifest as the last
        for path, content in contents.items():
            files.enter_context(atomic_write(path)).write(content)
    return manifest


def _measure(corpus: Corpus, partition: Partition, artifacts: ReleaseArtifacts) -> Report:
    """Measure everything that manifest, card and plots say."""

    def predict(model: bytes, arrays: Sequence[Entry], recordings: Sequence[Entry]) -> dict[str, Predictions]:
        eval_sets = {g: array_eval_set(corpus, arrays, LABELS, spec) for g, spec in ARRAY_GEOMETRIES.items()}
        if partition.valid_recordings and partition.test_recordings:
            eval_sets = {"live": recording_eval_set(corpus, recordings, LABELS, LIVE)} | eval_sets
        return {
            g: Predictions(tflite.run_model(model, render_images(each.intensities)), each)
            for g, each in eval_sets.items()
        }

    content = artifacts.int8
    valid = predict(content, partition.valid, partition.valid_recordings)
    main = next(iter(valid))
    sources = [entry.source for entry in partition.valid_recordings] if main == "live" else []
    degraded = None
    if main == "live":
        eval_set = recording_eval_set(corpus, partition.valid_recordings, LABELS, LIVE, version=1)
        degraded = Predictions(tflite.run_model(content, render_images(eval_set.intensities)), eval_set)
    calibration = calibrate(valid, main, sources, degraded)
    timed = {SHIPPED_INT8: content, SHIPPED_FLOAT: artifacts.float32, STUDY_INT8: convert_study_network()}
    return Report(
        main=main,
        history=artifacts.history,
        valid=valid,
        test=predict(content, partition.test, partition.test_recordings),
        test_float32=predict(artifacts.float32, partition.test, partition.test_recordings),
        calibration=calibration,
        out_of_domain=out_of_domain_scores(corpus, partition, content, main, calibration),
        non_music=non_music_scores(corpus, partition, content, main, calibration),
        data=count_data(corpus, partition),
        latency_ms=measure_latencies(timed),
        model_bytes={name: len(each) for name, each in timed.items()},
        provenance=artifacts.provenance,
        similarity=similarity_scores(corpus, partition, content, main) if artifacts.embedding_size else {},
    )


def latency_points(report: Report, protocols: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Collect ``name``, ``ms`` and ``accuracy`` on the fault-filtered test part of every timed network.

    The study's network is left out if the protocol records do not contain its accuracy.
    """
    accuracy = {SHIPPED_INT8: report.scores(TESTED).accuracy}
    accuracy[SHIPPED_FLOAT] = report.scores(TESTED, of="test_float32").accuracy
    for record in protocols:
        if (record["protocol"], record["network"]) == ("fault_filtered", STUDY_CNN_GRU.name):
            accuracy[STUDY_INT8] = record["accuracy"]
    return [
        {"name": name, "ms": ms, "accuracy": accuracy[name]}
        for name, ms in report.latency_ms.items()
        if name in accuracy
    ]


def _describe_training_data(partition: Partition, *, documented: bool) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for entry in partition.train:
        counts[entry.source] = counts.get(entry.source, 0) + 1
    listed = ", ".join(f"{source} {count}" for source, count in sorted(counts.items()))
    tracks = (
        f"{len(partition.train)} tracks by source: {listed}; GTZAN (Tzanetakis and Cook, 2002) as the "
        "training part of the fault-filtered split; no recording is included"
    )
    if not documented:
        return tracks, "the data of the initial weights and of their teachers, which are not documented"
    return (
        tracks,
        "values of four teachers for these recordings and, for the initial weights, for music that is "
        "neither in GTZAN nor by held-out artists: musicnn's two networks (Pons and Serra, 2019), trained on "
        "the Million Song Dataset, and YAMNet and EfficientAT's mn04 (Plakal and Ellis, 2020; Schmid et al., "
        "2023), trained on AudioSet; the artists of these two collections are not known",
        "ImageNet, through torchvision's MobileNetV2 weights (BSD-3-Clause)",
    )
