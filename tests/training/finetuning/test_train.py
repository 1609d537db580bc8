"""Training of a small network: validation sets, linear probing, and failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.corpora import corpus
from tests.support.networks import quick
from training.data.batches import BatchMix
from training.data.corpus import Corpus
from training.data.partitions import fault_filtered
from training.errors import TrainingError
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.finetuning.train import train

__all__ = ["corpus", "quick"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.usefixtures("quick")
def test_a_training_without_a_finite_loss_raises_one_sentence(corpus: Corpus, tmp_path: Path) -> None:
    recipe = FineTuningRecipe(probe=0, steps=1, validate_every=1, head_rate=float("nan"))
    checkpoint = tmp_path / "run.checkpoint"
    with pytest.raises(TrainingError, match=r"at any of 1 validations in 1 steps.*lower head_rate \(nan\)"):
        train(corpus, TrainingRun(fault_filtered(corpus), recipe, backbone=None), checkpoint=checkpoint)
    assert not checkpoint.exists()  # no training can continue from there


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("live", "coarse", "geometries"),
    [
        (0.0, 0.0, {"fine"}),
        (0.5, 0.5, {"live", "fine", "coarse"}),
        (1.0, 0.5, {"live"}),
        (0.0, 1.0, {"coarse"}),
    ],
)
def test_only_trained_geometries_validate(
    corpus: Corpus, live: float, coarse: float, geometries: set[str]
) -> None:
    recipe = FineTuningRecipe(probe=0, steps=1, validate_every=1)
    mix = BatchMix(batch=4, live_share=live, coarse_share=coarse)
    _, history = train(corpus, TrainingRun(fault_filtered(corpus), recipe, backbone=None, mix=mix))
    assert {key.split()[0] for key in history[0] if key.endswith("nll")} == geometries


@pytest.mark.usefixtures("quick")
def test_the_head_is_fitted_once_and_steps_count_on_over_runs(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    monkeypatch.setattr(
        "training.finetuning.train.fit_head", lambda network, sampler, recipe: events.append(recipe.probe)
    )
    recipe = FineTuningRecipe(probe=7, runs=2, steps=1, validate_every=1)
    run = TrainingRun(fault_filtered(corpus), recipe, backbone=None, mix=BatchMix(batch=4))
    train(corpus, run, log=lambda step, values: events.append(("step", step)))
    assert events == [7, ("step", 0), ("step", 1), ("step", 2), ("step", 3)]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("losses", "kept"), [((1.0, 1.5), 0), ((1.5, 1.0), 3)])
def test_the_fitted_head_is_kept_if_training_makes_it_worse(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, losses: tuple[float, float], kept: int
) -> None:
    """Validation decides between the weights before and after the runs."""
    measured = iter(losses)
    weights: list[Any] = []

    def validate(network: Any, valid: object) -> dict[str, float]:
        weights.append(network.get_weights())
        return {"fine nll": next(measured)}

    monkeypatch.setattr("training.finetuning.train.fit_head", lambda network, sampler, recipe: None)
    monkeypatch.setattr("training.finetuning.train.validate", validate)
    recipe = FineTuningRecipe(probe=1, runs=2, steps=1, validate_every=1, head_rate=1e-1)
    run = TrainingRun(fault_filtered(corpus), recipe, backbone=None, mix=BatchMix(batch=4))
    network, history = train(corpus, run)
    assert [row["step"] for row in history if row["best"]] == [kept]
    chosen = weights[0 if kept == 0 else 1]
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), chosen, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(*weights, strict=True))
