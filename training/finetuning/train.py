"""Fine-tuning of the shipped network on one split, several runs averaged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.data.augmentation import Intensities
from training.data.batches import BatchMix, Sampler
from training.data.corpus import Corpus
from training.data.eval_sets import array_eval_set
from training.data.geometries import COARSE, GEOMETRIES
from training.data.gtzan import LABELS
from training.data.partitions import Partition
from training.errors import TrainingError
from training.finetuning.checkpoint import checkpoint_paths
from training.finetuning.finetune import fine_tune, validate
from training.finetuning.linear_probe import fit_head
from training.finetuning.recipe import FineTuningRecipe
from training.networks.pretrained import DISTILLED_WEIGHTS as TAUGHT
from training.networks.pretrained import load_distilled_weights

FIRST_TUNED_BLOCK: Final = "block_4"
"""Layers before this one stay as they were taught: edges and strokes of any picture, a third of the work."""

STANDARDIZATION_BATCHES: Final = 20
"""Batches that tell what is standard before the training begins."""

StepLogger = Callable[[int, dict[str, float]], None]

_log = logging.getLogger(__name__)


def build_network(taught: Path | None, places: Intensities) -> tuple[Any, list[Any]]:
    """An untrained classifier on a taught backbone, and those of the backbone's variables that learn.

    Parameters
    ----------
    taught : Path or None
        None begins with ImageNet's weights.
    places : (n, 256, 256) uint8
        Training pictures, which tell what is standard.
    """
    from training.networks.genre import (
        build_backbone,
        build_classifier,
        build_pooled_features,
        fit_standardization,
    )

    features = build_backbone(imagenet=taught is None)
    if taught:
        load_distilled_weights(features, taught)
    for layer in takewhile(lambda layer: not layer.name.startswith(FIRST_TUNED_BLOCK), features.layers):
        layer.trainable = False
    pooled = build_pooled_features(features)
    fit_standardization(pooled, places)
    return build_classifier(pooled, len(LABELS)), pooled.trainable_variables


def train(
    corpus: Corpus,
    parts: Partition,
    recipe: FineTuningRecipe,
    *,
    seed: int,
    taught: Path | None = TAUGHT,
    mixture: BatchMix | None = None,
    log: StepLogger | None = None,
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
    mixture = mixture or BatchMix()
    sampler = Sampler(corpus, parts.train, LABELS, mixture, seed)
    network, slow = build_network(
        taught,
        np.concatenate([sampler.batch(number).intensities for number in range(STANDARDIZATION_BATCHES)]),
    )
    fit_head(network, sampler, recipe)
    sparse = 2 * COARSE.columns  # three windows a track say enough of when to stop
    shares = {"fine": 1 - mixture.coarse_share, "coarse": mixture.coarse_share}
    valid = {
        form: array_eval_set(corpus, parts.valid, LABELS, GEOMETRIES[form], hop=sparse)
        for form, share in shares.items()
        if share > 0
    }
    begin, history, kept = network.get_weights(), [], []
    for number in range(recipe.runs):
        each = checkpoint_paths(checkpoint, recipe)[number] if checkpoint else None
        network.set_weights(begin)
        sampler.seed = seed + number
        told = partial(_log_with_offset, log, number * recipe.steps) if log else None
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
    together = {"loss": history[-1]["loss"]} | validate(network, valid)
    step = recipe.runs * recipe.steps + 1
    if log:
        log(step, together)
    history = [row | {"best": False} for row in history]
    return network, [*history, {"step": step, **together, "best": True}]


def _log_with_offset(log: StepLogger, steps: int, step: int, values: dict[str, float]) -> None:
    log(steps + step, values)


def tensorboard_logger(folder: Path) -> StepLogger:
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
