"""Names of checkpoints."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpora import corpus
from training.data.batches import BatchMix
from training.data.corpus import Corpus
from training.data.partitions import Partition, fault_filtered
from training.errors import WeightsError
from training.finetuning.checkpoint import checkpoint_name
from training.finetuning.recipe import FineTuningRecipe, TrainingRun

__all__ = ["corpus"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore")


def test_checkpoint_names_change_with_everything_that_determines_a_training(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Names of split, steps and seed alone once gave the results of other weights and other data."""
    parts, weights = fault_filtered(corpus), tmp_path / "distilled.npz"
    weights.write_bytes(b"one")

    run = TrainingRun(parts, FineTuningRecipe(steps=5), seed=3, backbone=weights)

    def name(parts: Partition = parts, **changes: Any) -> str:
        return checkpoint_name(corpus, replace(run, partition=parts, **changes))

    one = name()
    assert re.fullmatch(r"fault-filtered-5-3-[0-9a-f]{8}", one)
    assert one == name(mix=BatchMix())
    others = [
        name(recipe=FineTuningRecipe(steps=5, mixup=0.1)), name(seed=4), name(backbone=None),
        name(mix=BatchMix(genre_share=0.7)), name(replace(parts, train=parts.train[1:])),
        name(replace(parts, valid=parts.valid[1:])),
    ]  # fmt: skip
    weights.write_bytes(b"other")
    assert len({one, name(), *others}) == 8
    with pytest.raises(WeightsError, match=r"cannot read the distilled weights .*none\.npz"):
        name(backbone=tmp_path / "none.npz")
