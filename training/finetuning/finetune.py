"""Fine-tuning of a network on genres, on the detection of music, and on teacher embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data.augmentation import render
from training.data.batches import Batch, Sampler, prefetch
from training.data.eval_sets import EvalSet
from training.data.targets import target_weights
from training.evaluation.predictions import Predictions, predict_logits
from training.finetuning.checkpoint import Checkpoint
from training.finetuning.labels import balanced_weights, mix_batch
from training.finetuning.recipe import FineTuningRecipe, cosine_with_warmup
from training.finetuning.step_log import StepLogger


class FineTuner:
    """Training loop of one network, which is changed in place.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``.
    backbone_variables : sequence
        Variables of the network that are trained at ``backbone_rate``.
    recipe : FineTuningRecipe
    """

    def __init__(self, network: Any, backbone_variables: Sequence[Any], recipe: FineTuningRecipe) -> None:
        import keras

        self._network, self._recipe = network, recipe
        slow = {id(variable) for variable in backbone_variables}
        groups = [
            ([v for v in network.trainable_variables if (id(v) in slow) == is_slow], rate)
            for is_slow, rate in ((True, recipe.backbone_rate), (False, recipe.head_rate))
        ]
        self._groups = [variables for variables, _ in groups if variables]
        self._rates = [rate for variables, rate in groups if variables]
        self._optimizers: list[Any] = []
        for variables in self._groups:
            self._optimizers.append(keras.optimizers.AdamW(weight_decay=recipe.weight_decay, clipnorm=5.0))
            self._optimizers[-1].build(variables)
        self._step = self._compile_step()
        weights = {id(weight) for weight in network.weights}
        random = [v for v in network.variables if id(v) not in weights]
        self._auxiliary = [*(optimizer.variables for optimizer in self._optimizers), random]

    def _compile_step(self) -> Callable[[Any, Any, Any], Any]:
        """Compile one step: ``(batch, share, order)`` -> loss; see ``mix_batch``."""
        import tensorflow as tf

        network, recipe = self._network, self._recipe
        genres = network.output_shape[0][-1] - 1
        weights = tf.constant(target_weights())

        @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
        def step(batch: Any, share: Any, order: Any) -> Any:
            intensities, targets, known, music, embeddings, has_embedding = batch
            images = render(intensities)
            images = share * images + (1 - share) * tf.gather(images, order)
            with tf.GradientTape() as tape:
                logits, predicted = network(images, training=True)
                cross_entropy = -tf.reduce_sum(targets * tf.nn.log_softmax(logits[:, :genres]), axis=1)
                genre_loss = tf.reduce_sum(cross_entropy) / tf.maximum(tf.reduce_sum(known), 1)
                music_loss = tf.nn.sigmoid_cross_entropy_with_logits(music, logits[:, genres])
                distance = tf.reduce_mean(tf.square(predicted - embeddings) * weights, axis=1)
                embedding_loss = tf.reduce_sum(distance * has_embedding) / tf.maximum(
                    tf.reduce_sum(has_embedding), 1
                )
                music_loss = tf.reduce_mean(music_loss * balanced_weights(music))
                loss = genre_loss + recipe.music_weight * music_loss
                loss += recipe.embedding_weight * embedding_loss
            gradients = tape.gradient(loss, [v for variables in self._groups for v in variables])
            for variables, optimizer in zip(self._groups, self._optimizers, strict=True):
                optimizer.apply_gradients(zip(gradients[: len(variables)], variables, strict=True))
                gradients = gradients[len(variables) :]
            return loss

        return step  # type: ignore[no-any-return]

    def run(
        self,
        sampler: Sampler,
        valid: dict[str, EvalSet],
        *,
        log: StepLogger | None = None,
        checkpoint: Path | None = None,
    ) -> list[dict[str, Any]]:
        """Train, and keep the averaged weights with the lowest validation loss.

        Parameters
        ----------
        sampler : Sampler
        valid : dict of EvalSet
            Validation sets by geometry, which decide the weights that are kept. Never pass a test part.
        log : callable, optional
            Called at each validation.
        checkpoint : Path, optional
            File for the state. A stopped training continues from there.

        Returns
        -------
        list of dict
            ``step`` and the values of each validation. ``best`` is True for the step that was kept.
        """
        recipe, state = self._recipe, self._restore(checkpoint)
        losses: list[float] = []
        numbers = range(state.step + 1, recipe.steps + 1)
        for number, batch in zip(numbers, prefetch(sampler.batch, numbers), strict=True):
            losses.append(self._train(number, batch, np.random.default_rng((sampler.seed, number, 1))))
            self._update_average(state, number)
            if number % recipe.validate_every and number != recipe.steps:
                continue
            loss = float(np.mean(losses[-recipe.validate_every :]))
            values = self._validate(state, number, loss, valid)
            if checkpoint:
                state.save(checkpoint)
            if log:
                log(number, values)
        self._network.set_weights(state.best)
        return [row | {"best": row["step"] == state.best_step} for row in state.history]

    def _restore(self, checkpoint: Path | None) -> Checkpoint:
        """Load the checkpoint into the network, or return the state at the start."""
        weights = self._network.get_weights()
        if not (checkpoint and checkpoint.exists()):
            return Checkpoint(0, weights, [w.copy() for w in weights], weights, np.inf, 0, [], [])
        state = Checkpoint.load(checkpoint, weights, self._auxiliary)
        self._network.set_weights(state.weights)
        for variables, values in zip(self._auxiliary, state.auxiliary, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return state

    def _train(self, number: int, batch: Batch, generator: np.random.Generator) -> float:
        """Train one batch and return its loss."""
        import tensorflow as tf

        recipe = self._recipe
        warmup = max(1, recipe.steps // 20)
        batch, share, order = mix_batch(batch, recipe, generator)
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.learning_rate = cosine_with_warmup(
                number, recipe.steps, rate, warmup=warmup, start=rate / 10
            )
        return float(self._step([tf.constant(each) for each in batch], share, order))

    def _update_average(self, state: Checkpoint, number: int) -> None:
        decay = min(self._recipe.average, number / (number + 10))
        for averaged, new in zip(state.averaged, self._network.get_weights(), strict=True):
            averaged += (1 - decay) * (new - averaged)

    def _validate(
        self, state: Checkpoint, number: int, training_loss: float, valid: dict[str, EvalSet]
    ) -> dict[str, float]:
        """Evaluate the averaged weights, and bring ``state`` up to date."""
        network = self._network
        state.step, state.weights = number, network.get_weights()
        network.set_weights(state.averaged)
        values = {"loss": training_loss, **validate(network, valid)}
        state.history.append({"step": number, **values})
        loss = validation_loss(values)
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.best = loss, number, [w.copy() for w in state.averaged]
        network.set_weights(state.weights)
        state.auxiliary = [[v.numpy() for v in variables] for variables in self._auxiliary]
        return values


def validate(network: Any, valid: dict[str, EvalSet]) -> dict[str, float]:
    """Evaluate a network on sets by geometry.

    Returns
    -------
    dict
        For each geometry, the accuracy of a track's first window (``first``) and of all its windows
        (``track``), and the loss at the best temperature (``nll``).
    """
    values: dict[str, float] = {}
    for geometry, eval_set in valid.items():
        predictions = Predictions(predict_logits(network, eval_set.intensities), eval_set)
        first, track = predictions.accuracies()
        values |= {
            f"{geometry} first": first,
            f"{geometry} track": track,
            f"{geometry} nll": predictions.lowest_loss(),
        }
    return values


def validation_loss(values: dict[str, float]) -> float:
    """Return the mean of the geometries' losses, which decides the weights that are kept."""
    return float(np.mean([value for key, value in values.items() if key.endswith("nll")]))
