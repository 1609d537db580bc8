"""Fine-tuning of the taught network on genres, and on whether it is music at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.augmentation import Intensities, render
from training.data.batches import Batch, Floats, Sampler, prefetch
from training.data.eval_sets import EvalSet
from training.evaluation.predictions import Predictions
from training.finetuning.checkpoint import Checkpoint
from training.finetuning.recipe import FineTuningRecipe, cosine_with_warmup


def predict_logits(network: Any, places: Intensities) -> Floats:
    """Logits of a network on pooled pictures, (n, genres + 1) float32."""
    parts = [network.predict_on_batch(render(places[i : i + 64]))[0] for i in range(0, len(places), 64)]
    return np.concatenate(parts)


def fine_tune(
    network: Any,
    backbone_variables: Sequence[Any],
    sampler: Sampler,
    valid: dict[str, EvalSet],
    recipe: FineTuningRecipe,
    *,
    log: Callable[[int, dict[str, float]], None] | None = None,
    checkpoint: Path | None = None,
) -> list[dict[str, Any]]:
    """Train a network in place; keep the averaged weights with the lowest validation loss.

    Parameters
    ----------
    network : keras.Model
        From ``training.networks.genre.build_classifier``.
    backbone_variables : sequence
        Those of its variables that learn at ``backbone_rate``.
    valid : dict of Scored
        What decides which weights are kept; a test part must not be given here.
    log : callable, optional
        Called as ``log(step, values)`` at each validation.
    checkpoint : Path, optional
        Where progress is kept; a training that was stopped goes on from there.

    Returns
    -------
    list of dict
        The history: ``step`` and what was logged; ``best`` is True for the step that was kept.
    """
    import keras
    import tensorflow as tf

    genres = network.output_shape[0][-1] - 1
    slow = {id(variable) for variable in backbone_variables}
    groups = [
        [v for v in network.trainable_variables if (id(v) in slow) == wanted] for wanted in (True, False)
    ]
    rates = (recipe.backbone_rate, recipe.head_rate)
    optimizers = []
    for variables in groups:
        optimizers.append(keras.optimizers.AdamW(weight_decay=recipe.weight_decay, clipnorm=5.0))
        optimizers[-1].build(variables)
    warmup = max(1, recipe.steps // 20)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(batch: Any, share: Any, order: Any) -> Any:
        places, targets, known, music, heard, heard_mask = batch
        pictures = render(places)
        pictures = share * pictures + (1 - share) * tf.gather(pictures, order)
        with tf.GradientTape() as tape:
            logits, as_heard = network(pictures, training=True)
            cross_entropy = -tf.reduce_sum(targets * tf.nn.log_softmax(logits[:, :genres]), axis=1)
            genre_loss = tf.reduce_sum(cross_entropy) / tf.maximum(tf.reduce_sum(known), 1)
            music_loss = tf.nn.sigmoid_cross_entropy_with_logits(music, logits[:, genres])
            distance = tf.reduce_mean(tf.square(as_heard - heard), axis=1)
            heard_loss = tf.reduce_sum(distance * heard_mask) / tf.maximum(tf.reduce_sum(heard_mask), 1)
            music_loss = tf.reduce_mean(music_loss * balanced_weights(music))
            loss = genre_loss + music_loss + recipe.embedding_weight * heard_loss
        gradients = tape.gradient(loss, [v for variables in groups for v in variables])
        for variables, optimizer in zip(groups, optimizers, strict=True):
            optimizer.apply_gradients(zip(gradients[: len(variables)], variables, strict=True))
            gradients = gradients[len(variables) :]
        return loss

    carried = {id(weight) for weight in network.weights}
    random = [v for v in network.variables if id(v) not in carried]
    others = [*(optimizer.variables for optimizer in optimizers), random]
    now = network.get_weights()
    state = Checkpoint(0, now, [w.copy() for w in now], now, np.inf, 0, [], [])
    if checkpoint and checkpoint.exists():
        state = Checkpoint.load(checkpoint, now, others)
        network.set_weights(state.weights)
        for variables, values in zip(others, state.others, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
    losses: list[float] = []
    numbers = range(state.step + 1, recipe.steps + 1)
    for number, batch in zip(numbers, prefetch(sampler.batch, numbers), strict=True):
        batch, share, order = mix_batch(batch, recipe, np.random.default_rng((sampler.seed, number, 1)))
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.learning_rate = cosine_with_warmup(
                number, recipe.steps, rate, warmup=warmup, start=rate / 10
            )
        losses.append(float(step([tf.constant(each) for each in batch], share, order)))
        decay = min(recipe.average, number / (number + 10))
        for kept, new in zip(state.averaged, network.get_weights(), strict=True):
            kept += (1 - decay) * (new - kept)
        if number % recipe.validate_every and number != recipe.steps:
            continue
        state.step, state.weights = number, network.get_weights()
        network.set_weights(state.averaged)
        measured = {"loss": float(np.mean(losses[-recipe.validate_every :])), **validate(network, valid)}
        state.history.append({"step": number, **measured})
        loss = validation_loss(measured)
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.best = loss, number, [w.copy() for w in state.averaged]
        network.set_weights(state.weights)
        state.others = [[v.numpy() for v in variables] for variables in others]
        if checkpoint:
            state.save(checkpoint)
        if log:
            log(number, measured)
    network.set_weights(state.best)
    return [row | {"best": row["step"] == state.best_step} for row in state.history]


def validate(network: Any, valid: dict[str, EvalSet]) -> dict[str, float]:
    """Of every form the accuracy of first windows and of tracks, and the loss at the best temperature."""
    measured: dict[str, float] = {}
    for name, scored in valid.items():
        each = Predictions(predict_logits(network, scored.intensities), scored)
        first, track = each.accuracies()
        measured |= {f"{name} first": first, f"{name} track": track, f"{name} nll": each.lowest_loss()}
    return measured


def validation_loss(measured: dict[str, float]) -> float:
    """What decides which weights are kept: the mean of the forms' losses."""
    return float(np.mean([value for key, value in measured.items() if key.endswith("nll")]))


def smooth_music_labels(music: Floats, recipe: FineTuningRecipe) -> Floats:
    """The label of "music", smoothed.

    That bounds its logit: int8 stores all logits with one step, and a sure 10 would leave the genres half
    as many.
    """
    smooth = np.float32(recipe.music_smoothing)
    return music * (1 - smooth) + smooth / 2


def balanced_weights(music: Any) -> Any:
    """What each window counts, so that both sides of the labels weigh the same and all windows 1 on average.

    Of hard labels music and no music count half each; smoothed by 0.1, 85 % of music still count 61 %.

    Parameters
    ----------
    music : (n,)
        Labels, 0..1.
    """
    from keras import ops

    weights = [of / ops.maximum(ops.mean(of), 1e-3) for of in (music, 1 - music)]
    return (weights[0] + weights[1]) / 2


def mix_batch(
    batch: Batch, recipe: FineTuningRecipe, generator: np.random.Generator
) -> tuple[Batch, Any, npt.NDArray[np.int64]]:
    """Smooth a batch's labels, and mix all its targets as its pictures are to be mixed: like with like only.

    Returns
    -------
    batch : Batch
    share : float32
        Of each picture itself; the rest is another's.
    order : (n,) int64
        Whose.
    """
    genres = batch.genres.shape[1]
    smooth = np.float32(recipe.label_smoothing)
    targets = batch.genres * (1 - smooth) + batch.genre_known[:, np.newaxis] * smooth / genres
    music = smooth_music_labels(batch.music, recipe)
    order = generator.permutation(len(targets))
    alike = batch.genre_known[order] == batch.genre_known
    alike &= batch.has_embedding[order] == batch.has_embedding
    order = np.where(alike, order, np.arange(len(order)))
    share = np.float32(generator.beta(recipe.mixup, recipe.mixup) if recipe.mixup else 1)

    def mix(values: Floats) -> Floats:
        return share * values + (1 - share) * values[order]

    return (
        batch._replace(genres=mix(targets), music=mix(music), embeddings=mix(batch.embeddings)),
        share,
        order,
    )
