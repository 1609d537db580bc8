"""Find the parts of a spectrogram image that a classification depends on, by covering them.

The method is from M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks (ECCV
2014), section 4.2. A patch slides over the image. The most important parts are those whose covering lowers
the genre's probability most. The result shows what this model used, not what characterizes the music. A part
can be important although covering that part alone changes little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

PATCH: Final = 64
"""Side of the patch in pixels. Smaller patches hardly change the predictions of the shipped network."""
STEP: Final = 16
"""Pixels between two positions of the patch, which has 13 x 13 positions on an image of 256 x 256."""


def compute_importance(
    probability: Callable[[npt.NDArray[np.uint8]], float],
    image: npt.NDArray[np.uint8],
    patch: int = PATCH,
    step: int = STEP,
) -> npt.NDArray[np.float32]:
    """Compute the decrease of a probability when each part of an image is covered.

    Parameters
    ----------
    probability : callable
        Returns the probability for an image.
    image : (height, width, 3) uint8
    patch, step : int
        Side of the covered square and distance between its positions, in pixels. Each covered row is filled
        with the mean of this row over the image, which removes events and preserves the timbre.

    Returns
    -------
    (positions down, positions across) float32
        Decrease of the probability. It is negative if the probability rises.
    """
    height, width, _ = image.shape
    row_means = image.mean(axis=1, keepdims=True).round().astype(np.uint8)
    uncovered = probability(image)
    tops, lefts = (range(0, side - patch + 1, step) for side in (height, width))
    importance = np.zeros((len(tops), len(lefts)), np.float32)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            covered = image.copy()
            covered[top : top + patch, left : left + patch] = row_means[top : top + patch]
            importance[row, column] = uncovered - probability(covered)
    return importance
