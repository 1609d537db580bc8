"""Fine-tuning loop on a small network."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.corpora import arrays_of, cache, entry, recording_of
from tests.support.networks import small
from training.data.augmentation import render
from training.data.batches import Batch, BatchMix, Sampler
from training.data.corpus import Corpus
from training.data.eval_sets import EvalSet, array_eval_set
from training.data.geometries import FINE
from training.data.targets import EMBEDDING_SIZE
from training.errors import DataError, TrainingError
from training.evaluation.predictions import Predictions, predict_logits
from training.finetuning.checkpoint import Checkpoint
from training.finetuning.finetune import FineTuner
from training.finetuning.labels import balanced_weights, mix_batch
from training.finetuning.recipe import FineTuningRecipe

pytestmark = pytest.mark.filterwarnings("ignore")

LABELS = ("blues", "rock")
RECIPE = FineTuningRecipe(steps=6, head_rate=1e-2, backbone_rate=1e-2, validate_every=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    listed = [
        (entry(f"{genre}.{n}", "gtzan", genre, part="valid" if n > 3 else "train"), arrays_of(5 * band, n))
        for band, genre in enumerate(LABELS)
        for n in range(6)
    ]
    listed.append((entry("talk", "clips", music=False), recording_of(9, 0)))
    listed.append((entry("song", "music"), recording_of(3, 0, embedding_size=EMBEDDING_SIZE)))
    return cache(tmp_path_factory.mktemp("cache"), listed)


def data(corpus: Corpus, kind: type[Sampler] = Sampler) -> tuple[Sampler, dict[str, EvalSet]]:
    train = corpus.select(lambda each: each.part != "valid")
    valid = corpus.select(lambda each: each.part == "valid")
    return kind(corpus, train, LABELS, BatchMix(batch=8), 0), {
        "fine": array_eval_set(corpus, valid, LABELS, FINE)
    }


def test_steps_lower_the_loss_and_the_best_weights_are_kept(corpus: Corpus) -> None:
    model, backbone_variables = small(0, 2)
    sampler, valid = data(corpus)
    before = Predictions(predict_logits(model, valid["fine"].intensities), valid["fine"]).lowest_loss()
    logged = []
    recipe = FineTuningRecipe(steps=24, head_rate=1e-2, backbone_rate=1e-2, validate_every=8, average=0.8)
    history = FineTuner(model, backbone_variables, recipe).run(
        sampler, valid, log=lambda step, values: logged.append(step)
    )
    assert [row["step"] for row in history] == logged == [8, 16, 24]
    losses = [row["fine nll"] for row in history]
    assert min(losses) < 0.7 * before
    assert [row["best"] for row in history] == [loss == min(losses) for loss in losses]
    after = Predictions(predict_logits(model, valid["fine"].intensities), valid["fine"]).lowest_loss()
    assert after == pytest.approx(min(losses), abs=1e-5)


def test_each_group_has_its_own_learning_rate(corpus: Corpus) -> None:
    model, backbone_variables = small(0, 2)
    before = [each.numpy() for each in backbone_variables]
    head = model.get_layer("logits").get_weights()[0]
    recipe = FineTuningRecipe(steps=2, head_rate=1e-2, backbone_rate=0, validate_every=1, average=0.0)
    FineTuner(model, backbone_variables, recipe).run(*data(corpus))
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, backbone_variables, strict=True))
    assert np.abs(model.get_layer("logits").get_weights()[0] - head).max() > 1e-3


class InterruptedSampler(Sampler):
    """Sampler that fails at the fifth batch, as if the machine was switched off."""

    def batch(self, number: int) -> Any:
        if number == 5:
            raise DataError("switched off")
        return super().batch(number)


def test_an_interrupted_training_ends_with_the_same_weights(corpus: Corpus, tmp_path: Path) -> None:
    """Weights, averages, optimizers and the dropout's generator all continue from the checkpoint."""
    whole, backbone_variables = small(0, 2)
    history = FineTuner(whole, backbone_variables, RECIPE).run(*data(corpus))

    checkpoint = tmp_path / "new" / "run.checkpoint"
    stopped, backbone_variables = small(0, 2)
    with pytest.raises(DataError, match="switched off"):
        FineTuner(stopped, backbone_variables, RECIPE).run(
            *data(corpus, InterruptedSampler), checkpoint=checkpoint
        )
    assert checkpoint.exists()
    resumed, backbone_variables = small(99, 2)  # the initial weights must not matter
    steps = []
    assert history == FineTuner(resumed, backbone_variables, RECIPE).run(
        *data(corpus), checkpoint=checkpoint, log=lambda step, _: steps.append(step)
    )
    assert steps == [6]
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_damaged_or_foreign_checkpoint_raises_one_sentence(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    checkpoint.write_bytes(b"no pickle at all")
    model, backbone_variables = small(0, 2)
    with pytest.raises(TrainingError, match=r"run\.checkpoint is damaged: .*; delete it"):
        FineTuner(model, backbone_variables, RECIPE).run(*data(corpus), checkpoint=checkpoint)
    checkpoint.write_bytes(pickle.dumps({"step": 3}))
    with pytest.raises(TrainingError, match="is damaged"):
        Checkpoint.load(checkpoint, [], [])
    weights = model.get_weights()
    state = Checkpoint(3, weights, weights, weights, 1.0, 3, [], [[np.zeros(2, np.float32)]])
    state.save(checkpoint)
    assert Checkpoint.load(checkpoint, weights, [[np.zeros(2)]]).step == 3
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="is damaged"):
        Checkpoint.load(checkpoint, weights, [[np.zeros(2, np.float32)]])
    state.save(checkpoint)
    with pytest.raises(TrainingError, match="of another network: the shapes of its 7 arrays are not"):
        FineTuner(model, backbone_variables, RECIPE).run(*data(corpus), checkpoint=checkpoint)


def test_windows_are_mixed_only_with_windows_of_the_same_kind() -> None:
    """An image of unknown genre must not contribute half a target to one with a genre."""
    random = np.random.default_rng(0)
    weight = np.array([1, 1, 0, 1, 0, 0.5, 0.5], np.float32)
    mask = np.array([0, 0, 0, 1, 0, 1, 1], np.float32)
    genres = np.array([[1, 0], [0, 1], [0, 0], [0, 1], [0, 0], [0.4, 0.1], [0.1, 0.4]], np.float32)
    embeddings = random.normal(0, 1, (7, EMBEDDING_SIZE)).astype(np.float32) * mask[:, np.newaxis]
    music = np.array([1, 1, 0, 1, 1, 1, 1], np.float32)
    batch = Batch(np.zeros((7, 256, 256), np.uint8), genres, weight, music, embeddings, mask)
    recipe = FineTuningRecipe(label_smoothing=0.1, mixup=0.5)
    plain = genres * 0.9 + weight[:, np.newaxis] * 0.05
    smooth = music * 0.9 + 0.05
    orders = set()
    for number in range(20):
        result, share, order = mix_batch(batch, recipe, np.random.default_rng(number))
        assert np.array_equal(weight[order], weight)
        assert np.array_equal(mask[order], mask)
        assert result.genres.sum(axis=1) == pytest.approx(weight)
        assert result.genres == pytest.approx(share * plain + (1 - share) * plain[order], abs=1e-6)
        assert result.music == pytest.approx(share * smooth + (1 - share) * smooth[order])
        assert result.embeddings == pytest.approx(
            share * embeddings + (1 - share) * embeddings[order], abs=1e-6
        )
        orders.add(tuple(order))
    assert len(orders) > 2
    result, share, _ = mix_batch(batch, FineTuningRecipe(mixup=0, music_smoothing=0), random)
    assert share == 1
    assert np.array_equal(result.genres, genres)


def test_images_are_mixed_as_their_targets_are(corpus: Corpus) -> None:
    """The network sees each image's share of itself and the rest of the image whose targets were mixed in."""
    import keras
    import tensorflow as tf

    seen: list[Any] = []

    class Recorder(keras.layers.Layer):  # type: ignore[misc]
        def call(self, images: Any) -> Any:
            tf.numpy_function(seen.append, [images], [])
            return images

    inner, backbone_variables = small(0, 2)
    image = keras.Input((128, 128, 3))
    network = keras.Model(image, inner(Recorder()(image)))
    recipe = FineTuningRecipe(steps=3, validate_every=3, mixup=1.0)
    sampler, valid = data(corpus)
    FineTuner(network, backbone_variables, recipe).run(sampler, valid)
    shares = []
    for number in (1, 2, 3):
        batch = sampler.batch(number)
        _, share, order = mix_batch(batch, recipe, np.random.default_rng((sampler.seed, number, 1)))
        images = render(batch.intensities).numpy()
        wanted = share * images + (1 - share) * images[order]
        assert np.abs(seen[number - 1] - wanted).max() < 1e-3
        assert np.abs(seen[number - 1] - images).max() > 1
        shares.append(share)
    assert np.ptp(shares) > 0.1


def test_embeddings_are_learned_beside_the_genres(corpus: Corpus) -> None:
    """The embedding layer changes, and stays if its loss has no weight."""
    moved = []
    for weight in (0.5, 0.0):
        model, backbone_variables = small(0, 2)
        listening = model.get_layer("embedding")
        before = listening.get_weights()[0]
        recipe = FineTuningRecipe(
            steps=2, head_rate=1e-2, validate_every=2, average=0, embedding_weight=weight, weight_decay=0
        )
        FineTuner(model, backbone_variables, recipe).run(*data(corpus))
        moved.append(float(np.abs(listening.get_weights()[0] - before).max()))
    assert moved[0] > 1e-3
    assert moved[1] == 0


def test_music_and_non_music_have_equal_weight() -> None:
    music = np.array([1, 1, 1, 0], np.float32)
    weights = np.asarray(balanced_weights(music))
    assert weights == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    smooth = np.array([0.95] * 17 + [0.05] * 3, np.float32)
    weights = np.asarray(balanced_weights(smooth))
    assert weights.sum() == pytest.approx(20)
    assert weights[:17].sum() / 20 == pytest.approx(0.61, abs=0.005)
    assert np.asarray(balanced_weights(music[:3])) == pytest.approx(
        [0.5] * 3
    )  # no no-music to count the other half


@pytest.mark.parametrize(("balance", "weight", "moves"), [(0, 1.0, False), (1, 1.0, True), (1, 0.0, False)])
def test_the_weights_of_music_decide_how_much_is_learned(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, balance: int, weight: float, moves: bool
) -> None:
    """The weights of the windows, and that of the loss in the recipe."""
    monkeypatch.setattr("training.finetuning.finetune.balanced_weights", lambda music: balance * music)
    network, backbone_variables = small(0, len(LABELS))
    before = network.get_layer("logits").get_weights()[1]
    recipe = replace(RECIPE, steps=1, validate_every=1, weight_decay=0.0, music_weight=weight)
    FineTuner(network, backbone_variables, recipe).run(*data(corpus))
    after = network.get_layer("logits").get_weights()[1]
    assert after[0] != before[0]
    assert bool(after[-1] != before[-1]) == moves
