"""How fast a network learns from step to step."""

from __future__ import annotations

import math
from dataclasses import dataclass


def cosine_with_warmup(step: int, steps: int, peak: float, *, warmup: int, start: float) -> float:
    """Learning rate of one step: a line up to the peak, then half a cosine down (Loshchilov and Hutter).

    A number for each step, and not Keras' schedule, which every variable's update would compute anew.

    Parameters
    ----------
    step : int
        From 1 on.
    steps : int
        Of the whole training; the last one has a hundredth of the peak.
    peak : float
    warmup : int
        Steps of the line.
    start : float
        Where the line begins.
    """
    if step <= warmup:
        return start + (peak - start) * step / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


@dataclass(frozen=True, slots=True)
class FineTuningRecipe:
    """How the network is fine-tuned.

    The head is first fitted to what the backbone says of ``probe`` batches (see
    ``training.finetuning.linear_probe``). The backbone learns at ``backbone_rate``, the rest at
    ``head_rate``, both falling as a cosine over ``steps``; what the teacher heard is learnt beside the
    genres, its mean squared error counting ``embedding_weight``; labels are smoothed by ``label_smoothing``
    and ``music_smoothing``, and pairs of pictures mixed by ``mixup`` (Zhang et al., 2018); an exponential
    average of the weights is what validation sees and what is kept. All that is done ``runs`` times, each
    on other batches, and the mean of what was kept is kept (Wortsman et al., 2022).
    """

    probe: int = 1_000
    runs: int = 5
    steps: int = 150
    head_rate: float = 1e-4
    backbone_rate: float = 2e-4
    weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    music_smoothing: float = 0.1
    embedding_weight: float = 0.5
    mixup: float = 0.3
    average: float = 0.995
    validate_every: int = 50
