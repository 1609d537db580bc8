"""Training of study networks on folds: a fresh model for each fold, or one model carried through all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.gtzan import LABELS
from training.data.splits import Indices, Split, TrainTest
from training.networks.study import STUDY_CNN, STUDY_CNN_GRU, StudyVariant, build_head
from training.parallel import SEQUENTIAL, Executor
from training.study.features import FeatureSet
from training.study.train_head import HeadRecipe, compile_loops, head_logits

PredictedLabels = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """Amount of training in the reproduction of the study.

    Attributes
    ----------
    epochs : int
        Epochs of a fresh model, which is tested after each of them.
    carried_epochs : tuple of int
        Epochs of the carried model on each fold. It is also trained for the number of epochs at which the
        80/20 split is closest to the study's accuracy.
    folds, artist_folds : int
    seeds : tuple of int
        Seeds of the 80/20 splits and of their models. Folds and the models on them take the first seed.
    learning_rate : float
    batch : int
    cnn, cnn_gru : StudyVariant
    """

    epochs: int = 15
    carried_epochs: tuple[int, ...] = (1, 3)
    folds: int = 10
    artist_folds: int = 5
    seeds: tuple[int, ...] = (0, 1)
    learning_rate: float = 1e-3
    batch: int = 32
    cnn: StudyVariant = STUDY_CNN
    cnn_gru: StudyVariant = STUDY_CNN_GRU

    def __post_init__(self) -> None:
        """Check that the parts of the plan can be compared.

        Raises
        ------
        ValueError
            If there is no seed, fewer than two folds, or a number in ``carried_epochs`` outside 1 to
            ``epochs``.
        """
        if not self.seeds or self.folds < 2:
            raise ValueError(f"{len(self.seeds)} seeds and {self.folds} folds; at least 1 and 2 are needed")
        if not self.carried_epochs or not all(1 <= e <= self.epochs for e in self.carried_epochs):
            raise ValueError(f"carried_epochs are {self.carried_epochs}; each must be 1 to {self.epochs}")


QUICK_PLAN = StudyPlan(epochs=2, carried_epochs=(1,), folds=3, artist_folds=2, seeds=(0,))
"""Plan that only shows that everything runs. Its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Predictions of one model on ``test`` after every epoch on ``train``.

    Attributes
    ----------
    train, test : (n,) int64
    trained : (n,) int64
        All tracks that the model was ever trained on, including ``train``.
    predicted : (epochs, len(test)) int64
        Predicted genres.
    """

    train: Indices
    trained: Indices
    test: Indices
    predicted: PredictedLabels

    def accuracy(self, data: FeatureSet, epoch: int) -> float:
        """Return the accuracy after an epoch, an index into ``predicted``."""
        return round(float((self.predicted[epoch] == data.labels[self.test]).mean()), 4)


class FoldLearner:
    """A head with its optimizer. Every call of ``epoch`` continues its training.

    Parameters
    ----------
    variant : StudyVariant
    data : FeatureSet
    plan : StudyPlan
    seed : int
        Seed of the initial weights and of the order of the tracks.
    """

    def __init__(self, variant: StudyVariant, data: FeatureSet, plan: StudyPlan, seed: int) -> None:
        import keras
        import tensorflow as tf

        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        tf.config.experimental.enable_op_determinism()
        self._data, self._recipe = data, HeadRecipe(plan.learning_rate, plan.batch)
        self._order = np.random.default_rng(seed)
        self._model = build_head(variant, len(LABELS))
        self.reset_optimizer()

    def reset_optimizer(self) -> None:
        """Keep the weights and start a new optimizer, as ``compile`` does between two calls of ``fit``."""
        every = (self._data.features, self._data.labels)
        unused = every[0][:1], every[1][:1]  # there is no validation part
        self._epoch, _ = compile_loops(self._model, every, unused, np.ones(len(LABELS)), self._recipe)

    def epoch(self, train: Indices) -> None:
        """Train once on each track of ``train``."""
        import tensorflow as tf

        self._epoch(tf.constant(self._order.permutation(train)))

    def predict(self, tracks: Indices) -> PredictedLabels:
        """Return the most probable genre of each track, (n,)."""
        logits = head_logits(self._model, self._data.features[tracks])
        return np.asarray(logits.argmax(axis=1), dtype=np.int64)

    def train_and_test(self, fold: TrainTest, epochs: int) -> PredictedLabels:
        """Train for some epochs and predict the test part after each, (epochs, n)."""
        train, test = fold
        predicted = []
        for _ in range(epochs):
            self.epoch(train)
            predicted.append(self.predict(test))
        return np.stack(predicted)


def train_test_pairs(folds: Iterable[Split]) -> list[TrainTest]:
    """Return training and test part of each fold. Validation tracks are trained on, as none stops early."""
    return [(np.sort(np.concatenate([fold.train, fold.valid])), fold.test) for fold in folds]


def train_fresh(
    variant: StudyVariant,
    data: FeatureSet,
    folds: Sequence[TrainTest],
    plan: StudyPlan,
    seeds: Sequence[int],
    executor: Executor = SEQUENTIAL,
) -> list[FoldResult]:
    """Train a new model for each fold, with the seed at the same position in ``seeds``."""
    calls = [(variant, data, fold, plan, seed) for fold, seed in zip(folds, seeds, strict=True)]
    return executor.run(_train_one_fresh, calls)


def _train_one_fresh(
    variant: StudyVariant, data: FeatureSet, fold: TrainTest, plan: StudyPlan, seed: int
) -> FoldResult:
    train, test = fold
    predicted = FoldLearner(variant, data, plan, seed).train_and_test(fold, plan.epochs)
    result = FoldResult(train, train, test, predicted)
    _log.info("%s, fresh model: accuracy %.4f", variant.name, result.accuracy(data, -1))
    return result


def train_carried(
    variant: StudyVariant,
    data: FeatureSet,
    folds: Sequence[TrainTest],
    epochs: int,
    plan: StudyPlan,
    *,
    keep_optimizer: bool,
) -> tuple[list[FoldResult], float]:
    """Train ONE model on fold after fold, and test it on each fold's test part, which is a mistake.

    Returns
    -------
    list of FoldResult, float
        One result for each fold, and the last model's accuracy on every track of ``data``.
    """
    learner, results = FoldLearner(variant, data, plan, plan.seeds[0]), []
    trained = np.array([], dtype=np.int64)
    for number, (train, test) in enumerate(folds):
        if number and not keep_optimizer:
            learner.reset_optimizer()
        trained = np.union1d(trained, train)
        results.append(FoldResult(train, trained, test, learner.train_and_test((train, test), epochs)))
        accuracy = results[-1].accuracy(data, -1)
        _log.info("%s, carried %d epochs a fold: accuracy %.4f", variant.name, epochs, accuracy)
    return results, float((learner.predict(np.arange(len(data.tracks))) == data.labels).mean())
