"""Teaching: the backbone learns to hear in a picture what the teacher hears in the sound.

Targets are the teacher's penultimate layer and tag logits of each window, standardised; the loss is
their mean squared error. Music without labels is enough, so there can be hours of it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artists import check_artist
from training.augment import drawn, paint, varied
from training.corpus import Corpus, Entry, without_artists_of
from training.geometry import COARSE, FINE
from training.gtzan import DataError
from training.hearing import Standardizer
from training.imagenet import WeightsError
from training.sampling import Floats, Places, ahead
from training.schedule import cosine_with_warmup

SHIPPED = Path(__file__).with_name("music_mobilenet_v2.npz")
"""The taught backbone's weights in half precision, in the order of Keras' weights."""

_INPUT = "input_shape"

HELD_OUT = 25
"""One track in so many is only listened to, to see how well the student hears."""


@dataclass(frozen=True, slots=True)
class Lesson:
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


def may_teach(entry: Entry) -> bool:
    """Whether a track itself may be taught from under every protocol: it is music, none of GTZAN's, from
    none of the held-out origins, and by no known artist that other people's music is checked on.
    """
    return (
        entry.music
        and not entry.source.startswith("gtzan")
        and not entry.held_out
        and not check_artist(entry.artist)
    )


def teachable(corpus: Corpus) -> list[Entry]:
    """Tracks that ``may_teach``, without GTZAN's known artists and other spellings of those checked."""
    kept_apart = corpus.where(lambda entry: entry.source.startswith("gtzan") or check_artist(entry.artist))
    return without_artists_of(corpus.where(may_teach), kept_apart)


@dataclass(frozen=True, slots=True)
class _Material:
    fine: npt.NDArray[np.uint8]
    coarse: npt.NDArray[np.uint8]
    target: Floats
    weight: npt.NDArray[np.float64]
    held: npt.NDArray[np.bool_]


def teach(
    corpus: Corpus,
    entries: Sequence[Entry],
    out: Path,
    lesson: Lesson,
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

    from training.music_network import backbone, student

    material = _gather(corpus, entries, lesson)
    keras.utils.set_random_seed(seed)
    features = backbone()
    network = student(features, material.target.shape[1])
    warmup = max(1, min(200, lesson.steps // 10))
    optimizer = keras.optimizers.AdamW(weight_decay=lesson.weight_decay, clipnorm=5.0)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(places: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(paint(places), training=True) - target))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    shares = np.cumsum(material.weight) / material.weight.sum()

    def batch(number: int) -> tuple[Places, Floats]:
        generator = np.random.default_rng((seed, number))
        chosen = np.minimum(np.searchsorted(shares, generator.random(lesson.batch)), len(shares) - 1)
        places = [_draw(material, int(index), generator) for index in chosen]
        return np.stack(places), material.target[chosen]

    numbers = range(1, lesson.steps + 1)
    losses: list[float] = []
    for number, (places, target) in zip(numbers, ahead(batch, numbers), strict=True):
        optimizer.learning_rate = cosine_with_warmup(
            number, lesson.steps, lesson.rate, warmup=warmup, start=1e-5
        )
        losses.append(float(step(tf.constant(places), tf.constant(target))))
        if log and (number % lesson.report_every == 0 or number == lesson.steps):
            log(
                number,
                {"loss": float(np.mean(losses[-lesson.report_every :]))} | _held_out(network, material),
            )
    return save_weights(features, out)


def save_weights(features: Any, out: Path) -> str:
    """Write a backbone's weights in half precision, whole or not at all; return the file's SHA-256."""
    weights = features.get_weights()
    stored: dict[str, Any] = {f"{number:03d}": w.astype(np.float16) for number, w in enumerate(weights)}
    stored[_INPUT] = np.array(features.input_shape[1:])
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"{out.name}.part")
    with unfinished.open("wb") as file:  # np.savez would add .npz to a path
        np.savez(file, **stored)
    unfinished.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def load_weights(features: Any, path: Path = SHIPPED) -> None:
    """Fill a backbone with taught weights.

    Raises
    ------
    WeightsError
        The file is missing or belongs to another network.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged one open
            if tuple(arrays[_INPUT]) != features.input_shape[1:]:
                raise ValueError(f"taught on {arrays[_INPUT]} pixels, not {features.input_shape[1:]}")
            names = sorted(set(arrays.files) - {_INPUT})
            features.set_weights([arrays[name].astype(np.float32) for name in names])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"cannot read the taught weights {path}: {error}; restore them or run overheard train teach"
        ) from error


def _gather(corpus: Corpus, entries: Sequence[Entry], lesson: Lesson) -> _Material:
    fine, coarse, heard, weight, held = [], [], [], [], []
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        if not len(windows.heard):
            continue
        fine.append(windows.fine)
        coarse.append(windows.coarse)
        heard.append(windows.heard.astype(np.float32))
        out = number % HELD_OUT == 0
        share = lesson.real_weight if entry.source in lesson.real_sources else 1.0
        weight += [0.0 if out else share] * len(windows.heard)
        held += [out] * len(windows.heard)
    if not heard or all(held):
        raise DataError("the teacher heard no track of this cache; prepare it with --teacher")
    of_all = np.concatenate(heard)
    target = Standardizer.of(of_all).apply(of_all)
    return _Material(np.concatenate(fine), np.concatenate(coarse), target, np.array(weight), np.array(held))


def _draw(material: _Material, index: int, generator: np.random.Generator) -> Places:
    version = int(generator.integers(2))
    if generator.random() < 0.5:
        return varied(material.fine[index, version], FINE, generator)
    return varied(material.coarse[index, version], COARSE, generator)


def _held_out(network: Any, material: _Material) -> dict[str, float]:
    chosen = np.flatnonzero(material.held)[:512]
    values = {}
    for name, stored, spec in (("fine", material.fine, FINE), ("coarse", material.coarse, COARSE)):
        errors = []
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            places = np.stack([drawn(stored[index, 0], spec) for index in part])
            errors.append(
                np.mean((network(paint(places), training=False).numpy() - material.target[part]) ** 2)
            )
        values[name] = float(np.mean(errors))
    return values
