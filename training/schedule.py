"""How fast a network learns from step to step."""

from __future__ import annotations

import math


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
