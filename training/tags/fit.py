"""Fitting of the second and third output of the network: words, and an embedding of likeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.manifest import Tag
from training.data.augmentation import render, window_intensities
from training.data.batches import Floats
from training.data.corpus import Corpus, Entry
from training.data.geometries import LIVE
from training.data.targets import target_weights
from training.networks.auxiliary import AuxiliaryOutputs, Weights
from training.networks.study import normalize
from training.tags.targets import truth_thresholds, word_strengths
from training.tags.words import WORDS, Word

EMBEDDING_VALUES: Final = 96
"""Values of the embedding of likeness."""

MOST_WINDOWS: Final = 16_000
"""Training windows that the outputs are fitted to, drawn at random if there are more."""

PENALTY: Final = 1e-3
"""Penalty on the square of a weight of a word, in nats."""

LEAST_AUC: Final = 0.85
"""Area under the ROC curve, on validation windows, from which a word ships."""

LEAST_PRECISION: Final = 0.7
"""Share of right words, on validation windows, that the threshold of a word must reach."""

FEWEST_WINDOWS: Final = 20
"""Validation windows of which a word must be true, and training windows."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """Features (n, 1424) and unstandardized teacher values (n, EMBEDDING_SIZE) of windows."""

    features: Floats
    values: npt.NDArray[np.float16]


def fit_auxiliary_outputs(
    corpus: Corpus, network: Any, train: Sequence[Entry], valid: Sequence[Entry]
) -> AuxiliaryOutputs | None:
    """Fit words and embedding to a trained network.

    Parameters
    ----------
    corpus : Corpus
    network : keras.Model
        From ``training.networks.genre.build_classifier``, trained.
    train, valid : sequence of Entry
        Tracks that are fitted, and tracks by other artists that choose words and thresholds.

    Returns
    -------
    AuxiliaryOutputs or None
        None if there are no teacher values.
    """
    fitted = _collect_windows(corpus, network, train, MOST_WINDOWS)
    checked = _collect_windows(corpus, network, valid, MOST_WINDOWS)
    if fitted is None or checked is None:
        return None
    strengths = word_strengths(fitted.values, WORDS)
    thresholds = truth_thresholds(strengths)
    truth, valid_truth = (each >= thresholds for each in (strengths, word_strengths(checked.values, WORDS)))
    kernel, bias = fit_words(fitted.features, truth.astype(np.float32))
    probabilities = 1 / (1 + np.exp(-(checked.features @ kernel + bias)))
    words = [
        _measure_word(word, truth[:, i], valid_truth[:, i], probabilities[:, i])
        for i, word in enumerate(WORDS)
    ]
    kept = [i for i, word in enumerate(words) if word["ships"]]
    tags = tuple(Tag(WORDS[i].name, WORDS[i].kind, words[i]["threshold"]) for i in kept)
    return AuxiliaryOutputs(
        tags, (kernel[:, kept], bias[kept]), _embedding_weights(network, fitted.features), words
    )


def _collect_windows(corpus: Corpus, network: Any, entries: Sequence[Entry], most: int) -> _Windows | None:
    """Compute the features of clean live windows that the teachers have heard."""
    found = [
        (entry, window)
        for entry in entries
        if entry.music
        for window in range(min(len(corpus.windows(entry).live), len(corpus.windows(entry).embeddings)))
    ]
    if not found:
        return None
    generator = np.random.default_rng(0)
    chosen = [found[i] for i in np.sort(generator.permutation(len(found))[:most])]
    pooled = network.get_layer("pooled_features")
    features = []
    for start in range(0, len(chosen), 64):
        columns = [corpus.windows(entry).live[window, 0] for entry, window in chosen[start : start + 64]]
        images = np.stack([window_intensities(each, LIVE) for each in columns])
        features.append(pooled(normalize(render(images)), training=False).numpy().mean(axis=1))
    values = np.stack([corpus.windows(entry).embeddings[window] for entry, window in chosen])
    return _Windows(np.concatenate(features), values)


def fit_words(features: Floats, truth: Floats, penalty: float = PENALTY) -> Weights:
    """Fit a logistic regression of each word by L-BFGS.

    Parameters
    ----------
    features : (n, values) float32
    truth : (n, words) float32
    penalty : float

    Returns
    -------
    (values, words) float32, (words,) float32
        Kernel and bias that minimize the mean cross-entropy of all words plus the penalty.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    (n, values), words = features.shape, truth.shape[1]
    start = np.zeros((values + 1, words))
    rate = np.clip(truth.mean(axis=0), 1 / n, 1 - 1 / n)
    start[-1] = np.log(rate / (1 - rate))

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(values + 1, words)
        kernel, bias = weights[:-1], weights[-1]
        logits = features @ kernel.astype(np.float32) + bias.astype(np.float32)
        cost = (np.logaddexp(0, logits) - truth * logits).sum() / n + penalty * (kernel**2).sum()
        error = ((expit(logits) - truth) / n).astype(np.float32)
        gradient = np.concatenate([features.T @ error + 2 * penalty * kernel, [error.sum(axis=0)]])
        return float(cost), gradient.astype(np.float64).ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = found.reshape(values + 1, words).astype(np.float32)
    return weights[:-1], weights[-1]


def _measure_word(
    word: Word, trained: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], probabilities: Floats
) -> dict[str, Any]:
    """Measure one word on validation windows, and choose its threshold.

    The threshold is the lowest one from which ``LEAST_PRECISION`` of at least ten windows are right.
    """
    measures: dict[str, Any] = {
        "name": word.name, "kind": word.kind, "windows": int(truth.sum()), "auc": None, "threshold": None,
        "precision": None, "recall": None, "ships": False,
    }  # fmt: skip
    if min(truth.sum(), trained.sum()) < FEWEST_WINDOWS or truth.all():
        return measures
    from sklearn.metrics import roc_auc_score

    measures["auc"] = round(float(roc_auc_score(truth, probabilities)), 3)
    order = np.argsort(-probabilities, kind="stable")
    right = np.cumsum(truth[order])
    precision = right / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision[9:] >= LEAST_PRECISION)
    if len(enough):
        last = 9 + int(enough[-1])
        threshold = np.floor(probabilities[order[last]] * 1000) / 1000
        said = probabilities >= threshold
        measures["threshold"] = round(float(threshold), 3)
        measures["precision"] = round(float(truth[said].mean()), 3)
        measures["recall"] = round(float(said[truth].mean()), 3)
        measures["ships"] = measures["auc"] >= LEAST_AUC
    return measures


def _embedding_weights(network: Any, features: Floats) -> Weights:
    """Compute the principal components of the predicted teacher values.

    Every component is divided by the root of its deviation, so that the first ones do not decide alone.
    """
    kernel, _ = network.get_layer("embedding").get_weights()
    kernel = kernel * np.sqrt(target_weights())
    mean = features.mean(axis=0)
    covariance = np.cov(features.T.astype(np.float64))
    values, vectors = np.linalg.eigh(kernel.T @ covariance @ kernel)
    largest = np.argsort(-values)[:EMBEDDING_VALUES]
    scale = np.maximum(values[largest], 1e-9) ** -0.25
    projection: Floats = (kernel @ (vectors[:, largest] * scale)).astype(np.float32)
    return projection, -(mean @ projection)
