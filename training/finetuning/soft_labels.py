"""Genres of labeled windows as the teachers know them, learned from the labels of other artists.

A label says what an artist is known for, and not what a window sounds like. A regression from the teachers'
values to the labels gives each window probabilities of the genres. They are multiplied by the shares
that musicnn's tags give to the genres that they name, and have half of the label's place in the target.
Windows without a label stay without: pseudo-labels made the model worse (``REPORT.md``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.classifier import softmax
from training.data.batches import Floats, track_weights
from training.data.corpus import Corpus, Entry
from training.data.targets import split_blocks, standardized_embeddings, target_weights
from training.data.teacher_classes import GENRE_TAGS, LISTENER_TAGS
from training.finetuning.linear_probe import logistic_regression

FOLDS: Final = 5
"""Folds of artists. The probabilities of a labeled track come from the labels of the other folds."""

PENALTY: Final = 0.1
"""Penalty on the square of a weight, in nats, chosen by cross-validation on training tracks."""

COMPONENTS: Final = 256
"""Principal components of the tracks' values that the regression reads, nearly all of their variance."""

LABEL_SHARE: Final = 0.5
"""Share of the label in the target, chosen on validation tracks. The rest is the teachers' probability."""

TAG_FLOOR: Final = 0.02
"""Added to the share of a genre among musicnn's tags, so that no genre is ruled out."""

TAG_POWER: Final = 0.5
"""Power of these shares. With 1, metal is taken for rock: the tag "rock" is given to both."""


def fit_soft_labels(corpus: Corpus, entries: Sequence[Entry], labels: Sequence[str]) -> dict[str, Floats]:
    """Compute targets of the genres for each labeled window that has teacher values.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        Training entries. Those without teacher values are left out.
    labels : sequence of str

    Returns
    -------
    dict of (windows, genres) float32
        By file. A row sums to 1. Empty if fewer than two genres, or
        folds, have labeled tracks with teacher values.
    """
    values = {
        file: embeddings * np.sqrt(target_weights())
        for file, embeddings in standardized_embeddings(corpus, entries).items()
    }
    labeled = [e for e in entries if e.file in values and e.genre in labels]
    folds = np.array([_fold(e) for e in labeled])
    if len({e.genre for e in labeled}) < 2 or len(set(folds)) < 2:
        return {}
    genres = np.array([list(labels).index(e.genre) for e in labeled])
    means = np.stack([values[e.file].mean(axis=0) for e in labeled])
    components = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:COMPONENTS].T
    means = means @ components
    targets = np.eye(len(labels), dtype=np.float32)[genres] * track_weights(labeled)[:, np.newaxis]
    regressions = []
    for fold in range(FOLDS):
        chosen = folds != fold
        regressions.append(logistic_regression(means[chosen], targets[chosen], PENALTY))
    soft: dict[str, Floats] = {}
    for entry, genre in zip(labeled, genres, strict=True):
        kernel, bias = regressions[_fold(entry)]
        logits = values[entry.file] @ components @ kernel + bias
        probabilities = softmax(logits.astype(np.float64)).astype(np.float32)
        probabilities *= _genres_of_tags(corpus.windows(entry).embeddings, labels)
        probabilities *= (1 - LABEL_SHARE) / probabilities.sum(axis=1, keepdims=True)
        probabilities[:, genre] += LABEL_SHARE
        soft[entry.file] = probabilities
    return soft


def _genres_of_tags(values: npt.NDArray[np.floating], labels: Sequence[str]) -> Floats:
    """Return the factors of the genres by the strongest of musicnn's tags that name each, (windows, genres).

    A genre without a tag has the mean share.
    """
    logits = split_blocks(values)["musicnn_tags"].astype(np.float32)
    strengths = 1 / (1 + np.exp(-logits))
    named = [index for index, genre in enumerate(labels) if genre in GENRE_TAGS]
    shares = np.full((len(values), len(labels)), 1 / max(1, len(named)), np.float32)
    for index in named:
        tags = [LISTENER_TAGS.index(tag) for tag in GENRE_TAGS[labels[index]]]
        shares[:, index] = strengths[:, tags].max(axis=1)
    shares[:, named] /= np.maximum(shares[:, named].sum(axis=1, keepdims=True), 1e-9)
    result: Floats = (shares + np.float32(TAG_FLOOR)) ** TAG_POWER
    return result


def _fold(entry: Entry) -> int:
    name = entry.artist_key or entry.name
    return int(hashlib.sha1(f"fold{name}".encode()).hexdigest(), 16) % FOLDS
