"""Which part of a picture a classification rests on, by covering parts of it.

M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), section 4.2:
a patch is slid over the picture, and where the genre's probability falls most, the picture mattered most.
It says what this model used, not what makes the music what it is, and a part can matter that is not
missed when it alone is covered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

PATCH: Final = 64
STEP: Final = 16
"""Pixels; on a picture of 256 that makes 13 x 13 places. This network hardly misses smaller patches."""


def occlusion(
    probability: Callable[[npt.NDArray[np.uint8]], float],
    picture: npt.NDArray[np.uint8],
    patch: int = PATCH,
    step: int = STEP,
) -> npt.NDArray[np.float32]:
    """How much of a probability is lost with each part of a picture.

    Parameters
    ----------
    probability : callable
        From a picture to the probability in question.
    picture : (height, width, 3) uint8
    patch, step : int
        Pixels: the side of what is covered, and how far it moves. A covered row gets its own mean over the
        picture, so that what is taken away is what happens there and not the sound's colour.

    Returns
    -------
    (places down, places across) float32
        Falls of the probability; below 0 where it rises.
    """
    height, width, _ = picture.shape
    row_means = picture.mean(axis=1, keepdims=True).round().astype(np.uint8)
    whole = probability(picture)
    tops, lefts = (range(0, side - patch + 1, step) for side in (height, width))
    falls = np.zeros((len(tops), len(lefts)), np.float32)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            covered = picture.copy()
            covered[top : top + patch, left : left + patch] = row_means[top : top + patch]
            falls[row, column] = whole - probability(covered)
    return falls
