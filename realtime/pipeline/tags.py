"""Select the tags that describe the music, from the probabilities of all tags of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.manifest import Tag
from models.mood import Mood, compute_mood

LEAVE_SHARE = 0.75
"""Share of its threshold below which a selected tag leaves. A tag near its threshold does not flicker."""

MAX_TAGS = 8
"""Largest number of selected tags."""

SelectedTags: TypeAlias = tuple[tuple[str, float], ...]
"""Names and probabilities, the most probable first."""


class TagSelector:
    """Selector of the tags of one stream, with hysteresis.

    A tag enters at its threshold and leaves below ``LEAVE_SHARE`` of that. If more than ``MAX_TAGS`` qualify,
    the same share favors the selected tags over the others.

    Parameters
    ----------
    tags : sequence of Tag
        Tags of the model.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._names = [tag.name for tag in tags]
        self._thresholds = np.array([tag.threshold for tag in tags])
        self.reset()

    def reset(self) -> None:
        """Forget the selected tags, such as after silence."""
        self._selected = np.zeros(len(self._names), bool)

    def select(self, probabilities: npt.NDArray[np.float64]) -> SelectedTags:
        """Select tags by the present probabilities of all tags, (n_tags,) float64."""
        favored = np.where(self._selected, probabilities / LEAVE_SHARE, probabilities)
        ranked = np.argsort(-favored, kind="stable")
        chosen = ranked[favored[ranked] >= self._thresholds[ranked]][:MAX_TAGS]
        self.reset()
        self._selected[chosen] = True
        strongest_first = sorted(chosen.tolist(), key=lambda index: -probabilities[index])
        return tuple((self._names[index], float(probabilities[index])) for index in strongest_first)


def mood_of_tags(tags: Sequence[Tag], probabilities: npt.NDArray[np.float64]) -> Mood | None:
    """Compute the mood from the probabilities of all tags, (n_tags,) float64.

    Returns
    -------
    Mood or None
        None if the model has no mood words.
    """
    return compute_mood(
        {tag.name: float(p) for tag, p in zip(tags, probabilities, strict=True) if tag.kind == "mood"}
    )
