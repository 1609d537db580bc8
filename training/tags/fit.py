"""Fitting of the second and third output of the network: tags, and the similarity embedding."""

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
from training.tags.targets import tag_strengths, truth_thresholds
from training.tags.vocabulary import VOCABULARY, TagMeaning

EMBEDDING_VALUES: Final = 96
"""Values of the similarity embedding."""

MOST_WINDOWS: Final = 16_000
"""Largest number of windows to fit to, and to choose by. They are drawn at random from more."""

PENALTY: Final = 1e-3
"""Penalty on the square of a weight of a tag, in nats."""

LEAST_AUC: Final = 0.85
"""Area under the ROC curve, on validation windows, from which a tag ships."""

LEAST_PRECISION: Final = 0.7
"""Precision, on validation windows, that the threshold of a tag must reach."""

FEWEST_WINDOWS: Final = 20
"""Least number of validation windows, and of training windows, of which a shipped tag is true."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """Features (n, 1424) and unstandardized teacher values (n, EMBEDDING_SIZE) of windows."""

    features: Floats
    values: npt.NDArray[np.float16]


def fit_auxiliary_outputs(
    corpus: Corpus, network: Any, train: Sequence[Entry], valid: Sequence[Entry]
) -> AuxiliaryOutputs | None:
    """Fit tags and embedding to a trained network.

    Parameters
    ----------
    corpus : Corpus
    network : keras.Model
        From ``training.networks.genre.build_classifier``, trained.
    train, valid : sequence of Entry
        Tracks that are fitted, and tracks by other artists that choose tags and thresholds.

    Returns
    -------
    AuxiliaryOutputs or None
        None if there are no teacher values.
    """
    fitted = _collect_windows(corpus, network, train, MOST_WINDOWS)
    checked = _collect_windows(corpus, network, valid, MOST_WINDOWS)
    if fitted is None or checked is None:
        return None
    strengths = tag_strengths(fitted.values, VOCABULARY)
    thresholds = truth_thresholds(strengths)
    truth, valid_truth = (
        each >= thresholds for each in (strengths, tag_strengths(checked.values, VOCABULARY))
    )
    kernel, bias = fit_tags(fitted.features, truth.astype(np.float32))
    probabilities = 1 / (1 + np.exp(-(checked.features @ kernel + bias)))
    measures = [
        _measure_tag(meaning, truth[:, i], valid_truth[:, i], probabilities[:, i])
        for i, meaning in enumerate(VOCABULARY)
    ]
    kept = [i for i, measured in enumerate(measures) if measured["ships"]]
    tags = tuple(Tag(VOCABULARY[i].name, VOCABULARY[i].kind, measures[i]["threshold"]) for i in kept)
    return AuxiliaryOutputs(
        tags, (kernel[:, kept], bias[kept]), _embedding_weights(network, fitted.features), measures
    )


def _collect_windows(corpus: Corpus, network: Any, entries: Sequence[Entry], most: int) -> _Windows | None:
    """Compute the features of clean live windows that have teacher values."""
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


def fit_tags(features: Floats, truth: Floats, penalty: float = PENALTY) -> Weights:
    """Fit a logistic regression of each tag by L-BFGS.

    Parameters
    ----------
    features : (n, values) float32
    truth : (n, tags) float32
    penalty : float

    Returns
    -------
    (values, tags) float32, (tags,) float32
        Kernel and bias that minimize the mean cross-entropy of all tags plus the penalty.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    (n, values), tags = features.shape, truth.shape[1]
    start = np.zeros((values + 1, tags))
    rate = np.clip(truth.mean(axis=0), 1 / n, 1 - 1 / n)
    start[-1] = np.log(rate / (1 - rate))

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(values + 1, tags)
        kernel, bias = weights[:-1], weights[-1]
        logits = features @ kernel.astype(np.float32) + bias.astype(np.float32)
        cost = (np.logaddexp(0, logits) - truth * logits).sum() / n + penalty * (kernel**2).sum()
        error = ((expit(logits) - truth) / n).astype(np.float32)
        gradient = np.concatenate([features.T @ error + 2 * penalty * kernel, [error.sum(axis=0)]])
        return float(cost), gradient.astype(np.float64).ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = found.reshape(values + 1, tags).astype(np.float32)
    return weights[:-1], weights[-1]


def _measure_tag(
    meaning: TagMeaning, trained: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_], probabilities: Floats
) -> dict[str, Any]:
    """Measure one tag on validation windows, and choose its threshold.

    The threshold is the lowest one with a precision of ``LEAST_PRECISION`` on at least ten windows.
    """
    measures: dict[str, Any] = {
        "name": meaning.name, "kind": meaning.kind, "windows": int(truth.sum()), "auc": None,
        "threshold": None, "precision": None, "recall": None, "ships": False,
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
        threshold = float(probabilities[order[last]])
        chosen = probabilities >= threshold
        precision_there = float(truth[chosen].mean())
        measures["threshold"] = threshold
        measures["precision"] = round(precision_there, 3)
        measures["recall"] = round(float(chosen[truth].mean()), 3)
        measures["ships"] = measures["auc"] >= LEAST_AUC and precision_there >= LEAST_PRECISION
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
