"""Training of the shipped network on one partition: linear probing, several fine-tunings, and their mean."""

from __future__ import annotations

import logging
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.data.augmentation import Intensities
from training.data.batches import Sampler
from training.data.corpus import Corpus
from training.data.eval_sets import EvalSet, array_eval_set, recording_eval_set
from training.data.geometries import COARSE, GEOMETRIES, LIVE
from training.data.gtzan import LABELS
from training.errors import TrainingError
from training.finetuning.checkpoint import checkpoint_paths
from training.finetuning.finetune import FineTuner, validate, validation_loss
from training.finetuning.gru_training import GenreWindows, fit_gru
from training.finetuning.linear_probe import fit_head
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.finetuning.soft_labels import fit_soft_labels
from training.finetuning.step_log import StepLogger, offset_logger
from training.networks.genre import GRU_UNITS
from training.networks.pretrained import load_distilled_weights

FIRST_TUNED_BLOCK: Final = "block_4"
"""First block that is fine-tuned. Earlier layers detect edges; freezing them saves a third of the time."""

STANDARDIZATION_BATCHES: Final = 20
"""Batches over which pooled features are standardized before the training."""

VALIDATION_WINDOWS: Final = 3
"""Windows of each recording that decide the weights that are kept."""

_log = logging.getLogger(__name__)


def build_network(
    backbone: Path | None, intensities: Intensities, *, tuned: bool = True
) -> tuple[Any, list[Any]]:
    """Build an untrained classifier on a pretrained backbone.

    Parameters
    ----------
    backbone : Path or None
        Distilled weights. None takes ImageNet's weights.
    intensities : (n, 256, 256) uint8
        Training images, over which the pooled features are standardized.
    tuned : bool
        False freezes the whole backbone.

    Returns
    -------
    keras.Model, list
        The classifier, and the variables of its backbone that are trained.
    """
    from training.networks.genre import (
        build_backbone,
        build_classifier,
        build_pooled_features,
        fit_standardization,
    )

    features = build_backbone(imagenet=backbone is None)
    if backbone:
        load_distilled_weights(features, backbone)
    for layer in takewhile(lambda layer: not layer.name.startswith(FIRST_TUNED_BLOCK), features.layers):
        layer.trainable = False
    if not tuned:
        features.trainable = False
    pooled = build_pooled_features(features)
    fit_standardization(pooled, intensities)
    return build_classifier(pooled, len(LABELS)), pooled.trainable_variables


def train(
    corpus: Corpus, run: TrainingRun, *, log: StepLogger | None = None, checkpoint: Path | None = None
) -> tuple[Any, list[dict[str, Any]]]:
    """Train a network on one partition.

    Parameters
    ----------
    corpus : Corpus
    run : TrainingRun
    log : callable, optional
        Called at each validation. Steps count on from run to run.
    checkpoint : Path, optional
        Base of the names of the runs' checkpoints, from which a stopped training continues.

    Returns
    -------
    keras.Model, list of dict
        The network with the mean weights of all runs, or with those of the fitted head if these validate
        better, and the history.

    Raises
    ------
    TrainingError
        If the validation loss of a run was never finite, so that there are no weights to keep.
    """
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(run.seed)
    recipe = run.recipe
    soft_labels = fit_soft_labels(corpus, run.partition.train, LABELS)
    sampler = Sampler(corpus, run.partition.train, LABELS, run.mix, run.seed, soft_labels)
    typical = np.concatenate([sampler.batch(number).intensities for number in range(STANDARDIZATION_BATCHES)])
    network, backbone_variables = build_network(run.backbone, typical, tuned=recipe.backbone_rate > 0)
    windows = fit_head(network, sampler, recipe)
    valid = _validation_sets(corpus, run)
    fitted = validate(network, valid)
    if windows is not None and recipe.gru_epochs:
        fitted = _train_gru(network, windows, recipe, valid, fitted)
    initial, history, kept = network.get_weights(), [], []
    has_gru = bool(network.get_layer("logits").get_weights()[0][: 2 * GRU_UNITS].any())
    if log:
        log(0, fitted)
    for number in range(recipe.runs):
        path = checkpoint_paths(checkpoint, recipe)[number] if checkpoint else None
        network.set_weights(initial)
        sampler.seed = run.seed + number
        run_log = offset_logger(log, number * recipe.steps) if log else None
        tuner = FineTuner(network, backbone_variables, recipe)
        rows = tuner.run(sampler, valid, log=run_log, checkpoint=path)
        if not any(row["best"] for row in rows):
            if path:
                path.unlink(missing_ok=True)
            raise TrainingError(
                f"the validation loss was not finite at any of {len(rows)} validations in {recipe.steps} "
                f"steps, so there are no weights to keep; lower head_rate ({recipe.head_rate:g}) and "
                f"backbone_rate ({recipe.backbone_rate:g})"
            )
        kept.append(network.get_weights())
        history += [row | {"step": number * recipe.steps + row["step"], "best": False} for row in rows]
    network.set_weights([np.mean(weights, axis=0) for weights in zip(*kept, strict=True)])
    values = validate(network, valid)
    step = recipe.runs * recipe.steps + 1
    if log:
        log(step, values)
    loss = history[-1]["loss"]
    worse = recipe.probe > 0 and validation_loss(fitted) <= validation_loss(values)
    if worse:
        network.set_weights(initial)
    history.insert(0, {"step": 0, "loss": loss, **fitted, "best": worse, "gru": has_gru})
    return network, [*history, {"step": step, "loss": loss, **values, "best": not worse}]


def _train_gru(
    network: Any,
    windows: GenreWindows,
    recipe: FineTuningRecipe,
    valid: dict[str, EvalSet],
    fitted: dict[str, float],
) -> dict[str, float]:
    """Train the GRU, and take it back if the network then validates worse. Return the validation values."""
    before = network.get_weights()
    fit_gru(network, windows, recipe.gru_epochs)
    values = validate(network, valid)
    better = validation_loss(values) < validation_loss(fitted)
    _log.info(
        "the GRU changes the validation loss from %.4f to %.4f, and is %s",
        validation_loss(fitted), validation_loss(values), "kept" if better else "left out",
    )  # fmt: skip
    if not better:
        network.set_weights(before)
    return values if better else fitted


def _validation_sets(corpus: Corpus, run: TrainingRun) -> dict[str, EvalSet]:
    """Build the validation sets of the geometries that are trained on."""
    sparse = 2 * COARSE.columns  # three windows of a track are enough to decide when to stop
    stored = 1 - run.mix.live_share
    shares = {"fine": stored * (1 - run.mix.coarse_share), "coarse": stored * run.mix.coarse_share}
    sets = {
        geometry: array_eval_set(corpus, run.partition.valid, LABELS, GEOMETRIES[geometry], hop=sparse)
        for geometry, share in shares.items()
        if share > 0
    }
    recordings = run.partition.valid_recordings
    if run.mix.live_share and recordings:
        sets["live"] = recording_eval_set(corpus, recordings, LABELS, LIVE, most=VALIDATION_WINDOWS)
    return sets
