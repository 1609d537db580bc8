"""Distillation of the teacher into a backbone, which learns to predict embeddings from spectrogram images.

The targets are the standardized embeddings of each window, and the loss is their mean squared error.
Distillation needs no labels, so there can be hours of music.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.holdout import is_held_out_artist
from training.data.augmentation import Intensities, augment, render, window_intensities
from training.data.batches import Floats, prefetch
from training.data.corpus import Corpus, Entry, exclude_artists_of
from training.data.geometries import COARSE, FINE
from training.data.targets import Standardizer
from training.errors import DataError
from training.finetuning.recipe import cosine_with_warmup
from training.finetuning.step_log import StepLogger
from training.networks.pretrained import save_distilled_weights

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
    report_every : int
        Batches from one log entry to the next.
    """

    steps: int = 3_200
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 1e-3
    real_sources: tuple[str, ...] = ("more-music",)
    real_weight: float = 2.0
    report_every: int = 400


def is_allowed_for_distillation(entry: Entry) -> bool:
    """Return True for music of other sources than GTZAN, except held-out origins and held-out artists.

    Such a track is in no evaluated part of any protocol.
    """
    return (
        entry.music
        and not entry.source.startswith("gtzan")
        and not entry.is_held_out
        and not is_held_out_artist(entry.artist)
    )


def distillation_entries(corpus: Corpus) -> list[Entry]:
    """Select the tracks to distill from, except those by artists of GTZAN or by held-out artists."""
    evaluated = corpus.select(
        lambda entry: entry.source.startswith("gtzan") or is_held_out_artist(entry.artist)
    )
    return exclude_artists_of(corpus.select(is_allowed_for_distillation), evaluated)


@dataclass(frozen=True, slots=True)
class _DistillationData:
    """Windows with their targets and sampling weights. Those of validation tracks have a weight of 0."""

    fine: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.uint8]
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
    log: StepLogger | None = None,
) -> str:
    """Distill the teacher into a backbone that starts from ImageNet's weights, and write its weights.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        Entries without embeddings are left out.
    out : Path
        ``.npz`` file to write.
    config : DistillationConfig
    seed : int
    log : callable, optional
        Called with the training loss and the losses on validation tracks in both geometries, in variances
        of the targets.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    DataError
        If no entry has embeddings.
    """
    import keras
    import tensorflow as tf

    from training.networks.genre import build_backbone, build_student

    data = _gather_data(corpus, entries, config)
    keras.utils.set_random_seed(seed)
    backbone = build_backbone()
    network = build_student(backbone, data.targets.shape[1])
    warmup = max(1, min(200, config.steps // 10))
    optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay, clipnorm=5.0)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def train(intensities: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(render(intensities), training=True) - targets))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    shares = np.cumsum(data.weights) / data.weights.sum()

    def load_batch(number: int) -> tuple[Intensities, Floats]:
        generator = np.random.default_rng((seed, number))
        chosen = np.minimum(np.searchsorted(shares, generator.random(config.batch)), len(shares) - 1)
        intensities = [_draw_window(data, int(index), generator) for index in chosen]
        return np.stack(intensities), data.targets[chosen]

    numbers = range(1, config.steps + 1)
    losses: list[float] = []
    for number, (intensities, targets) in zip(numbers, prefetch(load_batch, numbers), strict=True):
        optimizer.learning_rate = cosine_with_warmup(
            number, config.steps, config.rate, warmup=warmup, start=1e-5
        )
        losses.append(float(train(tf.constant(intensities), tf.constant(targets))))
        if log and (number % config.report_every == 0 or number == config.steps):
            loss = float(np.mean(losses[-config.report_every :]))
            log(number, {"loss": loss} | _validation_losses(network, data))
    return save_distilled_weights(backbone, out)


def _gather_data(corpus: Corpus, entries: Sequence[Entry], config: DistillationConfig) -> _DistillationData:
    fine, coarse, embeddings, weights, validates = [], [], [], [], []
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        count = len(windows.embeddings)
        if not count:
            continue
        fine.append(windows.fine)
        coarse.append(windows.coarse)
        embeddings.append(windows.embeddings.astype(np.float32))
        validation = number % VALIDATION_EVERY_NTH == 0
        weight = config.real_weight if entry.source in config.real_sources else 1.0
        weights += [0.0 if validation else weight] * count
        validates += [validation] * count
    if not embeddings or all(validates):
        raise DataError("the cache has no teacher embeddings; prepare it with --teacher")
    every = np.concatenate(embeddings)
    targets = Standardizer.fit(every).apply(every)
    return _DistillationData(
        np.concatenate(fine), np.concatenate(coarse), targets, np.array(weights), np.array(validates)
    )


def _draw_window(data: _DistillationData, index: int, generator: np.random.Generator) -> Intensities:
    version = int(generator.integers(2))
    if generator.random() < 0.5:
        return augment(data.fine[index, version], FINE, generator)
    return augment(data.coarse[index, version], COARSE, generator)


def _validation_losses(network: Any, data: _DistillationData) -> dict[str, float]:
    """Measure the loss in each geometry on at most 512 windows of validation tracks."""
    chosen = np.flatnonzero(data.validates)[:512]
    losses = {}
    for geometry, stored, spec in (("fine", data.fine, FINE), ("coarse", data.coarse, COARSE)):
        errors = []
        for start in range(0, len(chosen), 64):
            batch = chosen[start : start + 64]
            intensities = np.stack([window_intensities(stored[index, 0], spec) for index in batch])
            predicted = network(render(intensities), training=False).numpy()
            errors.append(np.mean((predicted - data.targets[batch]) ** 2))
        losses[geometry] = float(np.mean(errors))
    return losses
