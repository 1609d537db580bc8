"""Teaching: the backbone learns to hear in a picture what the teacher hears in the sound.

Targets are the teacher's penultimate layer and tag logits of each window, standardised; the loss is
their mean squared error. Music without labels is enough, so there can be hours of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from training.networks.pretrained import save_distilled_weights

VALIDATION_EVERY_NTH = 25
"""One track in so many is only listened to, to see how well the student hears."""


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """How the student is taught.

    ``rate`` falls as a cosine over ``steps``. Windows of ``real`` sources (songs rather than game
    music) are drawn ``real_weight`` times as often.
    """

    steps: int = 3_200
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 1e-3
    real_sources: tuple[str, ...] = ("more-music",)
    real_weight: float = 2.0
    report_every: int = 400


def is_allowed_for_distillation(entry: Entry) -> bool:
    """Whether a track itself may be taught from under every protocol: it is music, none of GTZAN's, from
    none of the held-out origins, and by no known artist that other people's music is checked on.
    """
    return (
        entry.music
        and not entry.source.startswith("gtzan")
        and not entry.is_held_out
        and not is_held_out_artist(entry.artist)
    )


def distillation_entries(corpus: Corpus) -> list[Entry]:
    """Select tracks to distill from, except those by artists of GTZAN or by held-out artists."""
    kept_apart = corpus.select(
        lambda entry: entry.source.startswith("gtzan") or is_held_out_artist(entry.artist)
    )
    return exclude_artists_of(corpus.select(is_allowed_for_distillation), kept_apart)


@dataclass(frozen=True, slots=True)
class _DistillationData:
    fine: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.uint8]
    target: Floats
    weight: npt.NDArray[np.float64]
    held: npt.NDArray[np.bool_]


def distill(
    corpus: Corpus,
    entries: Sequence[Entry],
    out: Path,
    lesson: DistillationConfig,
    *,
    seed: int = 1,
    log: Callable[[int, dict[str, float]], None] | None = None,
) -> str:
    """Teach a backbone that begins with ImageNet's weights, and write its weights.

    Parameters
    ----------
    entries : sequence of Entry
        Those without what the teacher heard are left out.
    out : Path
        The .npz to write.
    log : callable, optional
        Called as ``log(step, values)``: training loss, and the loss on held-out tracks for both
        pictures, in variances of the targets.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    DataError
        The teacher heard none of the entries.
    """
    import keras
    import tensorflow as tf

    from training.networks.genre import build_backbone, build_student

    material = _gather_data(corpus, entries, lesson)
    keras.utils.set_random_seed(seed)
    features = build_backbone()
    network = build_student(features, material.target.shape[1])
    warmup = max(1, min(200, lesson.steps // 10))
    optimizer = keras.optimizers.AdamW(weight_decay=lesson.weight_decay, clipnorm=5.0)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(places: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(render(places), training=True) - target))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    shares = np.cumsum(material.weight) / material.weight.sum()

    def batch(number: int) -> tuple[Intensities, Floats]:
        generator = np.random.default_rng((seed, number))
        chosen = np.minimum(np.searchsorted(shares, generator.random(lesson.batch)), len(shares) - 1)
        places = [_draw_window(material, int(index), generator) for index in chosen]
        return np.stack(places), material.target[chosen]

    numbers = range(1, lesson.steps + 1)
    losses: list[float] = []
    for number, (places, target) in zip(numbers, prefetch(batch, numbers), strict=True):
        optimizer.learning_rate = cosine_with_warmup(
            number, lesson.steps, lesson.rate, warmup=warmup, start=1e-5
        )
        losses.append(float(step(tf.constant(places), tf.constant(target))))
        if log and (number % lesson.report_every == 0 or number == lesson.steps):
            log(
                number,
                {"loss": float(np.mean(losses[-lesson.report_every :]))}
                | _validation_losses(network, material),
            )
    return save_distilled_weights(features, out)


def _gather_data(corpus: Corpus, entries: Sequence[Entry], lesson: DistillationConfig) -> _DistillationData:
    fine, coarse, heard, weight, held = [], [], [], [], []
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        if not len(windows.embeddings):
            continue
        fine.append(windows.fine)
        coarse.append(windows.coarse)
        heard.append(windows.embeddings.astype(np.float32))
        out = number % VALIDATION_EVERY_NTH == 0
        share = lesson.real_weight if entry.source in lesson.real_sources else 1.0
        weight += [0.0 if out else share] * len(windows.embeddings)
        held += [out] * len(windows.embeddings)
    if not heard or all(held):
        raise DataError("the teacher heard no track of this cache; prepare it with --teacher")
    of_all = np.concatenate(heard)
    target = Standardizer.fit(of_all).apply(of_all)
    return _DistillationData(
        np.concatenate(fine), np.concatenate(coarse), target, np.array(weight), np.array(held)
    )


def _draw_window(material: _DistillationData, index: int, generator: np.random.Generator) -> Intensities:
    version = int(generator.integers(2))
    if generator.random() < 0.5:
        return augment(material.fine[index, version], FINE, generator)
    return augment(material.coarse[index, version], COARSE, generator)


def _validation_losses(network: Any, material: _DistillationData) -> dict[str, float]:
    chosen = np.flatnonzero(material.held)[:512]
    values = {}
    for name, stored, spec in (("fine", material.fine, FINE), ("coarse", material.coarse, COARSE)):
        errors = []
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            places = np.stack([window_intensities(stored[index, 0], spec) for index in part])
            errors.append(
                np.mean((network(render(places), training=False).numpy() - material.target[part]) ** 2)
            )
        values[name] = float(np.mean(errors))
    return values
