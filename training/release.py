"""Making of the shipped model: fine-tune, choose, calibrate, export, score, and say so.

Training tracks train, validation tracks choose and calibrate, test tracks are scored at the
end and choose nothing, on the very bytes that ship.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.manifest import SHIPPED, ModelManifest
from models.measures import score
from training import export
from training.corpus import Corpus, Entry
from training.finetune import FineTuning, TrainingError, fine_tune, validated
from training.geometry import COARSE, FINE
from training.gtzan import LABELS, DataError
from training.latency import OURS_FLOAT, OURS_INT8, STUDY_INT8, latencies, study_network
from training.measured import Measured
from training.network import STUDY_CNN_GRU
from training.parts import Parts, fault_filtered
from training.probe import fit_head
from training.provenance import checkpoint_name, provenance, taught_by_musicnn
from training.report import FORMS, Report, calibrate, counted, elsewhere, false_genres, painted
from training.representatives import representatives
from training.rounding import correct_biases
from training.sampling import Mixture, Places, Sampler, pictures_of, windows_of
from training.teach import SHIPPED as TAUGHT
from training.teach import load_weights

VERSION: Final = "3"
CARD: Final = "MODEL_CARD.md"
PLOTS: Final = "MODEL_CARD.png"
FIRST_TUNED: Final = "block_4"
"""Layers before this one stay as they were taught: edges and strokes of any picture, a third of the work."""

STANDARD_BATCHES: Final = 20
"""Batches that tell what is standard before the training begins."""

SAMPLE: Final = 240
"""Training pictures that set the ranges of the int8 activations."""

Log = Callable[[int, dict[str, float]], None]

_log = logging.getLogger(__name__)


def build(taught: Path | None, places: Places) -> tuple[Any, list[Any]]:
    """An untrained classifier on a taught backbone, and those of the backbone's variables that learn.

    Parameters
    ----------
    taught : Path or None
        None begins with ImageNet's weights.
    places : (n, 256, 256) uint8
        Training pictures, which tell what is standard.
    """
    from training.music_network import backbone, classifier, fit_standardization, pooled_features

    features = backbone(imagenet=taught is None)
    if taught:
        load_weights(features, taught)
    for layer in takewhile(lambda layer: not layer.name.startswith(FIRST_TUNED), features.layers):
        layer.trainable = False
    pooled = pooled_features(features)
    fit_standardization(pooled, places)
    return classifier(pooled, len(LABELS)), pooled.trainable_variables


def train(
    corpus: Corpus,
    parts: Parts,
    recipe: FineTuning,
    *,
    seed: int,
    taught: Path | None = TAUGHT,
    mixture: Mixture | None = None,
    log: Log | None = None,
    checkpoint: Path | None = None,
) -> tuple[Any, list[dict[str, Any]]]:
    """Fine-tune a network on one split; return it and the history.

    Raises
    ------
    TrainingError
        The loss was a number at no validation, so that there are no weights to keep.
    """
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    mixture = mixture or Mixture()
    sampler = Sampler(corpus, parts.train, LABELS, mixture, seed)
    network, slow = build(
        taught, np.concatenate([sampler.batch(number).places for number in range(STANDARD_BATCHES)])
    )
    fit_head(network, sampler, recipe)
    sparse = 2 * COARSE.columns  # three windows a track say enough of when to stop
    shares = {"fine": 1 - mixture.coarse_share, "coarse": mixture.coarse_share}
    valid = {
        form: pictures_of(corpus, parts.valid, LABELS, FORMS[form], hop=sparse)
        for form, share in shares.items()
        if share > 0
    }
    begin, history, kept = network.get_weights(), [], []
    for number in range(recipe.runs):
        each = checkpoints(checkpoint, recipe)[number] if checkpoint else None
        network.set_weights(begin)
        sampler.seed = seed + number
        told = partial(_after, log, number * recipe.steps) if log else None
        of_run = fine_tune(network, slow, sampler, valid, recipe, log=told, checkpoint=each)
        if not any(row["best"] for row in of_run):
            if each:
                each.unlink(missing_ok=True)
            raise TrainingError(
                f"the validation loss was no finite number at any of {len(of_run)} validations in "
                f"{recipe.steps} steps, so no weights are worth keeping; lower head_rate "
                f"({recipe.head_rate:g}) and backbone_rate ({recipe.backbone_rate:g})"
            )
        kept.append(network.get_weights())
        history += [row | {"step": number * recipe.steps + row["step"]} for row in of_run]
    network.set_weights([np.mean(weights, axis=0) for weights in zip(*kept, strict=True)])
    together = {"loss": history[-1]["loss"]} | validated(network, valid)
    step = recipe.runs * recipe.steps + 1
    if log:
        log(step, together)
    history = [row | {"best": False} for row in history]
    return network, [*history, {"step": step, **together, "best": True}]


def _after(log: Log, steps: int, step: int, values: dict[str, float]) -> None:
    log(steps + step, values)


def checkpoints(checkpoint: Path, recipe: FineTuning) -> list[Path]:
    """Where each run of a training keeps its progress."""
    return [checkpoint.with_suffix(f".{number}.checkpoint") for number in range(recipe.runs)]


@dataclass(frozen=True, slots=True)
class Made:
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
    recipe: FineTuning | None = None,
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
        For the model card; see ``training.protocols``.
    logs : Path
        TensorBoard logs, and the checkpoint from which a stopped training goes on.
    float_out : Path
        Where the float32 model goes; it is for comparison and does not ship.
    """
    from training.music_network import for_export

    parts = fault_filtered(corpus)
    recipe = recipe or FineTuning()
    made_from = provenance(corpus, recipe, seed=seed, taught=taught)
    name = checkpoint_name(corpus, parts, recipe, seed=seed, taught=taught)
    checkpoint = logs / f"release-{name}.checkpoint"
    network, history = train(
        corpus, parts, recipe, seed=seed, taught=taught, log=board(logs / "release"), checkpoint=checkpoint
    )
    sample = _sample(corpus, parts.train)
    sample = sample[representatives(network, sample)]
    whole = export.Traced(for_export(network, len(LABELS)))
    float32 = whole.convert(None)
    correct_biases(whole.network, sample)
    made = Made(
        whole.convert(painted(sample)),
        float32,
        history,
        made_from | {"taught_by_musicnn": taught_by_musicnn(taught)},
    )
    manifest = publish(corpus, made, out, protocols=protocols, float_out=float_out)
    for each in checkpoints(
        checkpoint, recipe
    ):  # or the next release would go on from a training that is over
        each.unlink(missing_ok=True)
    return manifest


def describe(
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
    made = Made(manifest.read_model(), content_float, metrics["learning_curve"], metrics["provenance"])
    return publish(corpus, made, manifest.model_path.parent, protocols=protocols, float_out=float_path)


def publish(
    corpus: Corpus, made: Made, out: Path, *, protocols: Sequence[dict[str, Any]], float_out: Path
) -> ModelManifest:
    """Choose the picture, calibrate and score a model on its very bytes, and write all that ships."""
    from training.card import model_card
    from training.plots import plot

    parts = fault_filtered(corpus)
    content = made.int8
    quantization = export.read_quantization(content)

    def measure(model: bytes, entries: Sequence[Entry]) -> dict[str, Measured]:
        scored = {form: pictures_of(corpus, entries, LABELS, spec) for form, spec in FORMS.items()}
        return {form: Measured(export.run(model, painted(s.places)), s) for form, s in scored.items()}

    valid = measure(content, parts.valid)
    main = max(FORMS, key=lambda form: score(valid[form].first(1.0), valid[form].scored.labels).accuracy)
    calibration = calibrate(valid, main)
    report = Report(
        main, made.history, valid, measure(content, parts.test), measure(made.float32, parts.test),
        len(content), len(made.float32), calibration, parts,
    )  # fmt: skip
    report.elsewhere = elsewhere(corpus, parts, content, main, calibration.temperature)
    report.not_music = false_genres(corpus, parts, content, main, calibration)
    report.data, report.provenance = counted(corpus, parts), made.provenance
    report.taught_by_musicnn = bool(made.provenance["taught_by_musicnn"])
    study = study_network(_sample(corpus, parts.train)[::8])
    timed = {OURS_INT8: content, OURS_FLOAT: made.float32, STUDY_INT8: study}
    report.latency_ms, report.bytes = latencies(timed), {name: len(each) for name, each in timed.items()}
    model_path = (out / SHIPPED).with_suffix(".tflite")
    manifest = ModelManifest(
        name="overheard-genre",
        version=VERSION,
        file=model_path.name,
        sha256=export.sha256(content),
        labels=LABELS,
        audio=FORMS[main],
        quantization=quantization,
        calibration=calibration,
        metrics=report.metrics(protocols) | {"learning_curve": made.history},
        training_data=_sources(parts, report.taught_by_musicnn),
        licence="MIT",
        model_path=model_path,
        also_reads=tuple(spec for form, spec in FORMS.items() if form != main),
    )
    card, plots = model_card(manifest, report), io.BytesIO()
    plot(report, plots, speeds(report, protocols))
    for folder in (out, float_out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    written = {
        float_out: made.float32,
        model_path: content,
        out / CARD: card.encode(),
        out / PLOTS: plots.getvalue(),
    }
    for path, each in written.items():
        part_of(path).write_bytes(each)
    manifest.save(part_of(out / SHIPPED))
    for path in (*written, out / SHIPPED):  # all of them lie there whole before the first is replaced
        part_of(path).replace(path)
    return manifest


def part_of(path: Path) -> Path:
    """Where a file is written before it replaces ``path``."""
    return path.with_name(f"{path.name}.part")


def speeds(report: Report, protocols: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``name``, ``ms`` and ``accuracy`` on the fault-filtered test part of every network that was timed.

    The study's network is left out where the protocols do not tell its accuracy.
    """
    accuracy = {OURS_INT8: report.scores(report.main).accuracy}
    accuracy[OURS_FLOAT] = report.scores(report.main, of="test_float").accuracy
    for entry in protocols:
        if (entry["protocol"], entry["network"]) == ("fault_filtered", STUDY_CNN_GRU.name):
            accuracy[STUDY_INT8] = entry["accuracy"]
    return [
        {"name": name, "ms": ms, "accuracy": accuracy[name]}
        for name, ms in report.latency_ms.items()
        if name in accuracy
    ]


def board(folder: Path) -> Log:
    """A log that writes for TensorBoard and prints a line."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))

    def log(step: int, values: dict[str, float]) -> None:
        with writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name.replace(" ", "/"), value)
        writer.flush()
        _log.info("step %d: %s", step, ", ".join(f"{name} {value:.3f}" for name, value in values.items()))

    return log


def _sample(corpus: Corpus, train: Sequence[Entry]) -> Places:
    """Training pictures of every genre in both forms, and of sounds that are no music."""
    listed = sorted((e for e in train if e.source == "gtzan"), key=lambda entry: entry.genre)
    step = max(1, 2 * len(listed) // SAMPLE)
    places = [pictures_of(corpus, listed[::step], LABELS, FINE).places]
    places.append(pictures_of(corpus, listed[1::step], LABELS, COARSE).places[::10])
    others = [e for e in train if e.source != "gtzan"]
    others = others[:: max(1, len(others) // 40)]
    places += [windows_of(corpus, [e], LABELS, FINE, genre=LABELS[0]).places[:1] for e in others]
    return np.concatenate(places)


def _sources(parts: Parts, musicnn: bool) -> tuple[str, ...]:
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
