"""Training of a head on cached features: seeded, repeatable, and stopped by validation only."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.metrics import Labels
from training.networks.study import STUDY_CNN, STUDY_CNN_GRU, TIME_KEEPING, StudyVariant, build_head
from training.study.features import Features
from training.study.standardization import Standardization

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Hyperparameters of a head's training with Adam.

    Attributes
    ----------
    learning_rate : float
    batch : int
        Tracks of a batch.
    epochs, patience : int
        Training stops after ``epochs``, or after ``patience`` epochs without a lower validation loss. The
        weights of the best epoch are kept.
    l2 : float
        Weight in the loss of the sum of squares of the weights on standardized features.
    """

    learning_rate: float = 3e-4
    batch: int = 32
    epochs: int = 80
    patience: int = 8
    l2: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ValueError
            If ``l2`` is negative, or another number is not positive.
        """
        for name in ("learning_rate", "batch", "epochs", "patience"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.l2 < 0:
            raise ValueError(f"l2 is {self.l2}; it must be 0 or more")


HEAD_RECIPES = {
    STUDY_CNN: HeadRecipe(learning_rate=1e-3, epochs=150, l2=0.03),
    STUDY_CNN_GRU: HeadRecipe(learning_rate=3e-4, patience=5, l2=1e-3),
    TIME_KEEPING: HeadRecipe(learning_rate=1e-3, epochs=150, l2=0.03),
}
"""Recipe of each network on frozen features, chosen on training and validation tracks."""


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A trained head and its validation scores at the epoch that was kept, ``epochs``.

    ``head`` takes plain features: the standardization is folded into its weights.
    """

    variant: StudyVariant
    seed: int
    head: Any
    valid_accuracy: float
    valid_loss: float
    epochs: int


def train_head(
    variant: StudyVariant,
    train: tuple[Features, Labels],
    valid: tuple[Features, Labels],
    *,
    genres: int,
    seed: int,
    recipe: HeadRecipe | None = None,
) -> TrainedHead:
    """Train a new head. No state is carried over from an earlier call.

    Parameters
    ----------
    variant : StudyVariant
    train, valid : ((n, steps, 1280) float32, (n,) int64)
        Features averaged over frequency, and labels. The standardization is fitted on ``train`` alone.
        ``valid`` stops the training; never pass a test part.
    genres : int
    seed : int
        Seed of the initial weights, the dropout and the order of the tracks. The same seed on the same
        machine gives the same weights.
    recipe : HeadRecipe, optional
    """
    import keras
    import tensorflow as tf

    recipe = recipe or HeadRecipe()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = build_head(variant, genres)
    standardization = Standardization.fit(train[0])
    scaled_train, scaled_valid = ((standardization.apply(x), labels) for x, labels in (train, valid))
    epoch, validate = compile_loops(
        model, scaled_train, scaled_valid, class_weights(train[1], genres), recipe
    )

    order = np.random.default_rng(seed)
    best, best_epoch, best_weights = np.inf, 0, model.get_weights()
    for number in range(1, recipe.epochs + 1):
        epoch(tf.constant(order.permutation(len(train[1]))))
        loss = float(validate())
        if loss < best:
            best, best_epoch, best_weights = loss, number, model.get_weights()
        if number - best_epoch >= recipe.patience:
            break
    model.set_weights(best_weights)
    standardization.fold_into(model, variant)
    accuracy = float((head_logits(model, valid[0]).argmax(axis=1) == valid[1]).mean())
    message = "%s, seed %d: validation accuracy %.3f, loss %.3f at epoch %d"
    _log.info(message, variant.name, seed, accuracy, best, best_epoch)
    return TrainedHead(variant, seed, model, accuracy, best, best_epoch)


def compile_loops(
    model: Any,
    train: tuple[Features, Labels],
    valid: tuple[Features, Labels],
    weights: Any,
    recipe: HeadRecipe,
) -> tuple[Any, Any]:
    """Compile two functions: one epoch over tracks in a given order, and the validation loss.

    The order may contain any of the tracks. Model and optimizer keep their state from call to call.

    ``Model.fit`` has an overhead of 20 ms a batch, ten times the training of a small head.
    """
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    optimizer.build(model.trainable_variables)
    kernels = [variable for variable in model.trainable_variables if variable.name == "kernel"]
    features, labels = tf.constant(train[0]), tf.constant(train[1])
    weights = tf.constant(weights, dtype=tf.float32)
    valid_features, valid_labels = tf.constant(valid[0]), tf.constant(valid[1])

    @tf.function  # type: ignore[untyped-decorator]
    def epoch(order: Any) -> None:
        for start in tf.range(0, tf.shape(order)[0], recipe.batch):
            rows = order[start : start + recipe.batch]
            truth = tf.gather(labels, rows)
            with tf.GradientTape() as tape:
                logits = model(tf.gather(features, rows), training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits)
                loss = tf.reduce_mean(losses * tf.gather(weights, truth))
                loss += recipe.l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    @tf.function  # type: ignore[untyped-decorator]
    def validate() -> Any:
        logits = model(valid_features, training=False)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(valid_labels, logits))

    return epoch, validate


def class_weights(labels: Labels, genres: int) -> npt.NDArray[np.float64]:
    """Compute weights that give every present genre the same sum, with a mean of 1 over tracks.

    Returns
    -------
    (genres,) float64
        0 for a genre without tracks.
    """
    count = np.bincount(labels, minlength=genres)
    present = np.count_nonzero(count)
    return np.where(count > 0, len(labels) / (present * np.maximum(count, 1)), 0.0)


def head_logits(model: Any, features: Features) -> npt.NDArray[np.float64]:
    """Compute the logits of many tracks, (n, genres) float64."""
    return np.asarray(model(features, training=False), dtype=np.float64)
