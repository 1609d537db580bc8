"""Truth of the tags for each window: what the teachers agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.batches import Floats
from training.data.targets import split_blocks
from training.data.teacher_classes import EFFICIENTAT_CLASSES, LISTENER_TAGS, YAMNET_CLASSES
from training.tags.vocabulary import TagMeaning

STRONG_SHARE: Final = 0.01
"""Share of the strongest training windows. A tag is true from half the least strength among them."""

LEAST_STRENGTH: Final = 0.05
"""Least strength among them. With less, the teachers do not know the tag."""

_NAMES: Final = {
    "vgg_tags": LISTENER_TAGS,
    "musicnn_tags": LISTENER_TAGS,
    "efficientat_classes": EFFICIENTAT_CLASSES,
    "yamnet_classes": YAMNET_CLASSES,
}


def tag_strengths(embeddings: npt.NDArray[np.floating], vocabulary: Sequence[TagMeaning]) -> Floats:
    """Return the strength of each tag, the mean of the probabilities of the teachers that know the tag.

    A teacher with several classes of the same meaning counts with the strongest.

    Parameters
    ----------
    embeddings : (n, EMBEDDING_SIZE)
        Teacher values that are not standardized.

    Returns
    -------
    (n, tags) float32
        0..1.
    """
    blocks = split_blocks(embeddings)
    columns = []
    for tag in vocabulary:
        found = []
        for block, names in _NAMES.items():
            wanted = tag.listeners if names is LISTENER_TAGS else tag.audioset
            indices = [names.index(name) for name in wanted if name in names]
            if indices:
                logits = blocks[block][:, indices].astype(np.float32).max(axis=1)
                found.append(1 / (1 + np.exp(-logits)))
        columns.append(np.mean(found, axis=0))
    return np.stack(columns, axis=1).astype(np.float32)


def truth_thresholds(strengths: Floats) -> Floats:
    """Return the strength from which each tag is true, (tags,), infinite below ``LEAST_STRENGTH``.

    Parameters
    ----------
    strengths : (n, tags)
        Of the training windows.
    """
    strong = np.quantile(strengths, 1 - STRONG_SHARE, axis=0)
    thresholds: Floats = np.where(strong >= LEAST_STRENGTH, strong / 2, np.inf).astype(np.float32)
    return thresholds
