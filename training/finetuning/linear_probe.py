"""Linear probing: the head is fitted to the backbone's features before both are fine-tuned.

A head that starts at zero distorts the features while it learns. A head that was fitted first leaves them
intact (Kumar et al., 2022). The problem is convex and is solved to its minimum.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.data.augmentation import render
from training.data.batches import Floats, Sampler, prefetch
from training.finetuning.gru_training import GenreWindows
from training.finetuning.labels import balanced_weights, smooth_music_labels
from training.finetuning.recipe import FineTuningRecipe
from training.networks.genre import GRU_UNITS
from training.networks.study import normalize

GENRE_PENALTY: Final = 3e-3
"""Penalty on the square of a genre weight, in nats. It was chosen on the validation part."""

MUSIC_PENALTY: Final = 0.3
"""Penalty on the square of a weight of "music", in nats.

Its logit is the difference of two classes with mirrored weights, so the penalty amounts to half of that on a
weight of its own. With a smaller penalty, kinds of noise that were not trained on are classified as music.
"""

LIVE_RATIO: Final = 0.5
"""Weight of all live windows without augmentation, relative to that of the batches. Chosen on validation."""

EMBEDDING_PENALTY: Final = 30.0
"""Penalty on the square of a weight of the teacher embedding, in squared errors summed over all images."""


def fit_head(network: Any, sampler: Sampler, recipe: FineTuningRecipe) -> GenreWindows | None:
    """Fit the head of a classifier to frozen pooled features. Its GRU contributes nothing yet.

    The batches are the sampler's first ones, which fine-tuning also sees. Labels of genres are not smoothed
    here. Genres are also fitted to the sampler's live windows as they are, without augmentation.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``, changed in place.
    sampler : Sampler
    recipe : FineTuningRecipe
        ``probe`` is the number of batches. With 0 the head stays as it is.

    Returns
    -------
    GenreWindows or None
        Windows that the genres were fitted to. None if ``probe`` is 0.
    """
    if not recipe.probe:
        return None
    import tensorflow as tf
    from sklearn.linear_model import Ridge

    pooled = network.get_layer("pooled_features")

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def compute_features(intensities: Any) -> Any:
        return tf.cast(pooled(normalize(render(intensities)), training=False), tf.float16)

    features, labels = [], []
    for batch in prefetch(sampler.batch, range(1, recipe.probe + 1)):
        features.append(compute_features(tf.constant(batch.intensities)).numpy())
        labels.append(batch[1:])
    over_time = np.concatenate(features)
    x = _mean_over_time(over_time)
    genres, known, music, embeddings, has_embedding = (
        np.concatenate(each) for each in zip(*labels, strict=True)
    )

    live = sampler.live_windows()
    plain = [compute_features(tf.constant(each)).numpy() for each in live.intensities()]

    logits = network.get_layer("logits")
    kernel, bias = logits.get_weights()
    kernel[:] = 0
    direct = kernel[2 * GRU_UNITS :]  # rows of the pooled features, after those of the GRU's outputs
    targets = genres[known > 0]
    live_targets = live.targets * np.float32(LIVE_RATIO * targets.sum() / max(1e-9, live.targets.sum()))
    windows = GenreWindows(
        np.concatenate([over_time[known > 0], *plain]), np.concatenate([targets, live_targets])
    )
    direct[:, :-1], bias[:-1] = logistic_regression(
        _mean_over_time(windows.features), windows.targets, GENRE_PENALTY
    )
    music = smooth_music_labels(music, recipe)
    targets = np.asarray(balanced_weights(music))[:, np.newaxis] * np.stack([1 - music, music], axis=1)
    weights, offsets = logistic_regression(x, targets, MUSIC_PENALTY)
    direct[:, -1], bias[-1] = weights @ (-1, 1), offsets @ (-1, 1)
    logits.set_weights([kernel, bias])
    if has_embedding.any():
        ridge = Ridge(alpha=EMBEDDING_PENALTY).fit(x[has_embedding > 0], embeddings[has_embedding > 0])
        network.get_layer("embedding").set_weights([ridge.coef_.T, ridge.intercept_])
    return windows


def _mean_over_time(features: npt.NDArray[np.float16]) -> Floats:
    means: Floats = features.mean(axis=1, dtype=np.float32)
    return means


def logistic_regression(features: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Fit a multinomial logistic regression to probabilities by L-BFGS. scikit-learn's needs hard labels.

    Parameters
    ----------
    features : (n, values) float32
    targets : (n, classes) float32
        Each row sums to the weight of its image. A class may have no image.
    penalty : float
        Penalty on the square of a weight.

    Returns
    -------
    (values, classes) float32, (classes,) float32
        Kernel and bias of the logits that minimize the mean cross-entropy plus the penalty.
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
