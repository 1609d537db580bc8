"""Recipe of a fine-tuning, its learning rate, and everything else that determines its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from training.data.batches import BatchMix
from training.data.partitions import Partition
from training.networks.pretrained import DISTILLED_WEIGHTS


@dataclass(frozen=True, slots=True)
class FineTuningRecipe:
    """Hyperparameters of a fine-tuning.

    The head is first fitted to the backbone's features (``training.finetuning.linear_probe``). Then
    ``runs`` fine-tunings start from the same weights, each on other batches, and the mean of their weights
    is kept (Wortsman et al., 2022). Validation sees, and each run keeps, an exponential average of the
    weights.

    Attributes
    ----------
    probe : int
        Batches that the head is first fitted to. 0 leaves the head as it is.
    gru_epochs : int
        Passes over the same windows that then train the GRU alone. Its part is kept if it validates better.
    runs, steps : int
        Number of runs, and batches of each.
    head_rate, backbone_rate : float
        Peak learning rates of the head and of the backbone. Both fall as a cosine over ``steps``. A
        backbone with a rate of 0 is frozen.
    weight_decay : float
    label_smoothing, music_smoothing : float
        Smoothing of the labels of genres and of "music".
    music_weight : float
        Weight of the loss of "music". With 0, its logit stays as it was fitted first.
    embedding_weight : float
        Weight of the mean squared error of the teacher embeddings in the loss.
    mixup : float
        Parameter of the beta distribution by which pairs of images are mixed (Zhang et al., 2018). 0 mixes
        none.
    average : float
        Decay of the exponential average of the weights.
    validate_every : int
        Batches from one validation to the next.
    """

    probe: int = 1_000
    gru_epochs: int = 6
    runs: int = 2
    steps: int = 100
    head_rate: float = 2e-4
    backbone_rate: float = 0.0
    weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    music_smoothing: float = 0.1
    music_weight: float = 0.0
    embedding_weight: float = 0.5
    mixup: float = 0.3
    average: float = 0.995
    validate_every: int = 50


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Everything except the corpus that determines the weights of one training.

    Attributes
    ----------
    partition : Partition
    recipe : FineTuningRecipe
    seed : int
    backbone : Path or None
        Distilled weights to start from. None starts from ImageNet's weights.
    mix : BatchMix
    """

    partition: Partition
    recipe: FineTuningRecipe = field(default_factory=FineTuningRecipe)
    seed: int = 0
    backbone: Path | None = DISTILLED_WEIGHTS
    mix: BatchMix = field(default_factory=BatchMix)


def cosine_with_warmup(step: int, steps: int, peak: float, *, warmup: int, start: float) -> float:
    """Compute the learning rate of one step: a linear warmup, then half a cosine.

    The schedule is that of Loshchilov and Hutter (2017). Keras' own schedule would be evaluated anew for
    the update of every variable.

    Parameters
    ----------
    step : int
        Number of the step, from 1.
    steps : int
        Steps of the whole training. The last one has a hundredth of the peak.
    peak : float
    warmup : int
        Steps of the warmup.
    start : float
        Learning rate at which the warmup starts.
    """
    if step <= warmup:
        return start + (peak - start) * step / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
