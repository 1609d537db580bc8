"""Truth of the words for each window: what the teachers agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from training.data.batches import Floats
from training.data.targets import split_blocks
from training.data.teacher_classes import EFFICIENTAT_CLASSES, LISTENER_TAGS, YAMNET_CLASSES
from training.tags.words import Word

STRONG_SHARE: Final = 0.01
"""A word is true of a window that has half the strength of the window at the edge of this share."""

LEAST_STRENGTH: Final = 0.1
"""Strength at that edge below which the teachers do not know the word."""

_NAMES: Final = {
    "vgg_tags": LISTENER_TAGS,
    "musicnn_tags": LISTENER_TAGS,
    "efficientat_classes": EFFICIENTAT_CLASSES,
    "yamnet_classes": YAMNET_CLASSES,
}


def word_strengths(embeddings: npt.NDArray[np.floating], words: Sequence[Word]) -> Floats:
    """Return the strength of each word, the mean of the probabilities of the teachers that know the word.

    A teacher with several classes of the same meaning counts with the strongest.

    Parameters
    ----------
    embeddings : (n, EMBEDDING_SIZE)
        Teacher values that are not standardized.

    Returns
    -------
    (n, words) float32
        0..1.
    """
    blocks = split_blocks(embeddings)
    columns = []
    for word in words:
        found = []
        for block, names in _NAMES.items():
            wanted = word.listeners if names is LISTENER_TAGS else word.audioset
            indices = [names.index(name) for name in wanted if name in names]
            if indices:
                logits = blocks[block][:, indices].astype(np.float32).max(axis=1)
                found.append(1 / (1 + np.exp(-logits)))
        columns.append(np.mean(found, axis=0))
    return np.stack(columns, axis=1).astype(np.float32)


def truth_thresholds(strengths: Floats) -> Floats:
    """Return the strength from which each word is true, (words,), infinite for words that nobody knows.

    Parameters
    ----------
    strengths : (n, words)
        Of the training windows.
    """
    strong = np.quantile(strengths, 1 - STRONG_SHARE, axis=0)
    thresholds: Floats = np.where(strong >= LEAST_STRENGTH, strong / 2, np.inf).astype(np.float32)
    return thresholds
