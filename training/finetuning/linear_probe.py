"""Linear probing: the head is fitted to the backbone's features before both are fine-tuned.

A head that begins at zero distorts the features while it learns what they mean already; fitted first, it
leaves them as they are (Kumar et al., 2022). It is a convex problem, and solved.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.data.augmentation import render
from training.data.batches import Sampler, prefetch
from training.finetuning.finetune import balanced_weights, smooth_music_labels
from training.finetuning.recipe import FineTuningRecipe
from training.networks.genre import GRU_UNITS
from training.networks.study import normalize

Floats = npt.NDArray[np.float32]

GENRE_PENALTY: Final = 3e-3
"""What the square of a weight costs in nats, chosen on the validation part."""

MUSIC_PENALTY: Final = 1e-2
"""That of "music", whose logit is the difference of two classes' with mirrored weights: 5e-3 for a weight
of its own. Chosen on recorded noises and songs of training origins after sounds made by rule and speech had
been learnt; with a smaller one unseen noises are taken for music.
"""

EMBEDDING_PENALTY: Final = 30.0
"""And for what the teacher heard, in squared errors of all pictures."""


def fit_head(network: Any, sampler: Sampler, recipe: FineTuningRecipe) -> None:
    """Fit the head of a classifier to frozen pooled features; its GRU adds nothing yet.

    The batches are the sampler's first, which fine-tuning sees as well. Genres are not smoothed here.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``; changed in place.
    sampler : Sampler
        Draws the pictures.
    recipe : FineTuning
        Says of how many batches, and how far "music" is smoothed; no batch leaves the head as it is.
    """
    if not recipe.probe:
        return
    import tensorflow as tf
    from sklearn.linear_model import Ridge

    pooled = network.get_layer("pooled_features")

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def means(places: Any) -> Any:
        return tf.reduce_mean(pooled(normalize(render(places)), training=False), axis=1)

    features, labels = [], []
    for batch in prefetch(sampler.batch, range(1, recipe.probe + 1)):
        features.append(means(tf.constant(batch.intensities)).numpy())
        labels.append(batch[1:])
    x = np.concatenate(features)
    genres, known, music, heard, heard_mask = (np.concatenate(each) for each in zip(*labels, strict=True))

    logits = network.get_layer("logits")
    kernel, bias = logits.get_weights()
    kernel[:] = 0
    beside = kernel[2 * GRU_UNITS :]
    beside[:, :-1], bias[:-1] = logistic_regression(x[known > 0], genres[known > 0], GENRE_PENALTY)
    music = smooth_music_labels(music, recipe)
    targets = np.asarray(balanced_weights(music))[:, np.newaxis] * np.stack([1 - music, music], axis=1)
    weights, offsets = logistic_regression(x, targets, MUSIC_PENALTY)
    beside[:, -1], bias[-1] = weights @ (-1, 1), offsets @ (-1, 1)
    logits.set_weights([kernel, bias])
    if heard_mask.any():
        ridge = Ridge(alpha=EMBEDDING_PENALTY).fit(x[heard_mask > 0], heard[heard_mask > 0])
        network.get_layer("heard").set_weights([ridge.coef_.T, ridge.intercept_])


def logistic_regression(features: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Multinomial logistic regression on probabilities, by L-BFGS; scikit-learn's takes hard labels.

    Parameters
    ----------
    features : (n, values) float32
    targets : (n, classes) float32
        Each row sums to what its picture counts; no picture need be of every class.
    penalty : float
        What the square of a weight costs.

    Returns
    -------
    (values, classes) float32, (classes,) float32
        Kernel and bias of the logits with the least mean cross-entropy plus the penalty.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    n, values = features.shape
    classes = targets.shape[1]
    counts = targets.sum(axis=1, keepdims=True)

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        kernel, bias = flat[:-classes].reshape(values, classes), flat[-classes:]
        log = log_softmax(features @ kernel.astype(np.float32) + bias, axis=1)
        error = ((np.exp(log) * counts - targets) / n).astype(np.float32)
        gradient = features.T @ error + 2 * penalty * kernel
        cost = -(targets * log).sum() / n + penalty * (kernel**2).sum()
        return float(cost), np.append(gradient, error.sum(axis=0)).astype(np.float64)

    found = minimize(
        loss, np.zeros((values + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    ).x.astype(np.float32)
    return found[:-classes].reshape(values, classes), found[-classes:]
