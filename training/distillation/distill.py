"""Distillation of the teachers into a backbone, which learns to predict their values from images.

The targets are the standardized values of each window, and the loss is their mean squared error, in which
each teacher's embedding and each teacher's classes have the same weight.
Distillation needs no labels, so there can be hours of music.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from training.data.augmentation import Intensities, augment, render, window_intensities
from training.data.batches import Floats, prefetch
from training.data.corpus import Corpus, Entry, exclude_artists_of
from training.data.geometries import GEOMETRIES
from training.data.targets import Standardizer, split_blocks, target_weights
from training.errors import DataError, TrainingError
from training.finetuning.recipe import cosine_with_warmup
from training.finetuning.step_log import StepLogger
from training.networks.pretrained import load_distilled_weights, save_distilled_weights, weights_sha256

VALIDATION_EVERY_NTH = 25
"""Every 25th track is not trained on. The losses that are logged are measured on these tracks."""


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Hyperparameters of a distillation.

    Attributes
    ----------
    steps, batch : int
        Number of batches, and windows of each.
    rate : float
        Peak learning rate, which falls as a cosine over ``steps``.
    weight_decay : float
    real_sources : tuple of str
        Sources of songs rather than game music.
    real_weight : float
        Weight of the windows of ``real_sources``. Other windows have a weight of 1.
    live_share : float
        Share of images in the live geometry. The two stored geometries have equal parts of the rest.
    report_every : int
        Batches from one log entry, and one checkpoint, to the next.
    """

    steps: int = 2_800
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 1e-3
    real_sources: tuple[str, ...] = ("more-music", "songs")
    real_weight: float = 3.0
    live_share: float = 0.6
    report_every: int = 400


def is_allowed_for_distillation(entry: Entry) -> bool:
    """Return True for sounds of other sources than GTZAN, except held-out origins and held-out artists.

    Sounds that are not music teach the backbone to tell music from speech and noise.

    Such a track is in no evaluated part of any protocol.
    """
    return (
        not entry.source.startswith("gtzan")
        and not entry.is_held_out
        and not entry.by_held_out_artist
        and not entry.by_validation_artist
    )


def distillation_entries(corpus: Corpus) -> list[Entry]:
    """Select the tracks to distill from, except those by artists of GTZAN or by held-out artists."""
    evaluated = corpus.select(
        lambda entry: (
            entry.source.startswith("gtzan") or entry.by_held_out_artist or entry.by_validation_artist
        )
    )
    return exclude_artists_of(corpus.select(is_allowed_for_distillation), evaluated)


@dataclass(frozen=True, slots=True)
class _DistillationData:
    """Windows by geometry, targets and sampling weights. Those of validation tracks have a weight of 0."""

    columns: dict[str, npt.NDArray[np.uint8]]
    targets: Floats
    weights: npt.NDArray[np.float64]
    validates: npt.NDArray[np.bool_]


def distill(
    corpus: Corpus,
    entries: Sequence[Entry],
    out: Path,
    config: DistillationConfig,
    *,
    seed: int = 1,
    start: Path | None = None,
    log: StepLogger | None = None,
) -> str:
    """Distill the teachers into a backbone, and write its weights.

    A stopped distillation continues at its last checkpoint, a file beside ``out``.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        Entries without embeddings are left out.
    out : Path
        ``.npz`` file to write.
    config : DistillationConfig
    seed : int
    start : Path, optional
        Distilled weights to start from. The default is ImageNet's weights.
    log : callable, optional
        Called with the training loss and the losses on validation tracks, by geometry and by teacher, in
        variances of the targets.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    DataError
        If no entry has embeddings.
    TrainingError
        If the checkpoint is damaged or of another network.
    WeightsError
        If ``start`` is not the weights of this network.
    """
    import keras
    import tensorflow as tf

    from training.networks.genre import build_backbone, build_student

    data = _gather_data(corpus, entries, config)
    keras.utils.set_random_seed(seed)
    backbone = build_backbone(imagenet=start is None)
    if start:
        load_distilled_weights(backbone, start)
    network = build_student(backbone, data.targets.shape[1])
    warmup = max(1, min(200, config.steps // 10))
    optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay, clipnorm=5.0)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def train(intensities: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            errors = tf.square(network(render(intensities), training=True) - targets)
            loss = tf.reduce_mean(errors * weights)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    weights = tf.constant(target_weights())
    shares = np.cumsum(data.weights) / data.weights.sum()

    def load_batch(number: int) -> tuple[Intensities, Floats]:
        generator = np.random.default_rng((seed, number))
        chosen = np.minimum(np.searchsorted(shares, generator.random(config.batch)), len(shares) - 1)
        intensities = [_draw_window(data, int(index), config.live_share, generator) for index in chosen]
        return np.stack(intensities), data.targets[chosen]

    checkpoint = out.with_suffix(f".{_fingerprint(data, config, seed, start)}.checkpoint")
    variables = [*network.variables, *optimizer.variables]
    numbers = range(_restore(checkpoint, variables) + 1, config.steps + 1)
    losses: list[float] = []
    for number, (intensities, targets) in zip(numbers, prefetch(load_batch, numbers), strict=True):
        optimizer.learning_rate = cosine_with_warmup(
            number, config.steps, config.rate, warmup=warmup, start=1e-5
        )
        losses.append(float(train(tf.constant(intensities), tf.constant(targets))))
        if log and (number % config.report_every == 0 or number == config.steps):
            loss = float(np.mean(losses[-config.report_every :]))
            log(number, {"loss": loss} | _validation_losses(network, data))
        if number % config.report_every == 0:
            _save(checkpoint, number, variables)
    digest = save_distilled_weights(backbone, out)
    checkpoint.unlink(missing_ok=True)
    return digest


def _fingerprint(data: _DistillationData, config: DistillationConfig, seed: int, start: Path | None) -> str:
    """Hash everything that determines the weights except the program, to eight hexadecimal digits."""
    # The columns are not hashed: they are gigabytes, and change with the targets.
    state = hashlib.sha256(repr((config, seed, weights_sha256(start) if start else "")).encode())
    for array in (data.targets, data.weights, data.validates):
        state.update(array.tobytes())
    return state.hexdigest()[:8]


def _save(path: Path, step: int, variables: Sequence[Any]) -> None:
    with atomic_write(path) as file:
        np.savez(file, np.array(step), *(each.numpy() for each in variables))


def _restore(path: Path, variables: Sequence[Any]) -> int:
    """Set the variables to those of a checkpoint, and return its step, 0 if there is none."""
    if not path.exists():
        return 0
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            step, *values = (arrays[name] for name in arrays.files)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"the checkpoint {path} is damaged: {error}; delete it, and the distillation starts anew"
        ) from error
    return int(step)


def _gather_data(corpus: Corpus, entries: Sequence[Entry], config: DistillationConfig) -> _DistillationData:
    embeddings, weights, validates = [], [], []
    columns: dict[str, list[npt.NDArray[np.uint8]]] = {name: [] for name in GEOMETRIES}
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        count = len(windows.embeddings)
        if not count:
            continue
        for name in GEOMETRIES:
            columns[name].append(getattr(windows, name))
        embeddings.append(windows.embeddings.astype(np.float32))
        validation = number % VALIDATION_EVERY_NTH == 0
        weight = config.real_weight if entry.source in config.real_sources else 1.0
        weights += [0.0 if validation else weight] * count
        validates += [validation] * count
    if not embeddings or all(validates):
        raise DataError("the cache has no teacher embeddings; prepare it with --teacher FOLDER")
    every = np.concatenate(embeddings)
    targets = Standardizer.fit(every).apply(every)
    return _DistillationData(
        {name: np.concatenate(each) for name, each in columns.items()},
        targets,
        np.array(weights),
        np.array(validates),
    )


def _draw_window(
    data: _DistillationData, index: int, live_share: float, generator: np.random.Generator
) -> Intensities:
    version = int(generator.integers(2))
    rest = (1 - live_share) / (len(GEOMETRIES) - 1)
    shares = [live_share if name == "live" else rest for name in GEOMETRIES]
    name = list(GEOMETRIES)[int(generator.choice(len(shares), p=shares))]
    return augment(data.columns[name][index, version], GEOMETRIES[name], generator)


def _validation_losses(network: Any, data: _DistillationData) -> dict[str, float]:
    """Measure the loss in each geometry, and in the live one of each teacher, on validation tracks."""
    chosen = np.flatnonzero(data.validates)[:512]
    losses = {}
    for geometry, spec in GEOMETRIES.items():
        stored, errors = data.columns[geometry], []
        for start in range(0, len(chosen), 64):
            batch = chosen[start : start + 64]
            intensities = np.stack([window_intensities(stored[index, 0], spec) for index in batch])
            predicted = network(render(intensities), training=False).numpy()
            errors.append((predicted - data.targets[batch]) ** 2)
        by_value = np.concatenate(errors).mean(axis=0)
        losses[geometry] = float(np.mean(by_value * target_weights()))
        if geometry == "live":
            for name, block in split_blocks(by_value[np.newaxis]).items():
                losses[name] = float(block.mean())
    return losses
