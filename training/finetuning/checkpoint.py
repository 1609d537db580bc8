"""Checkpoints: the state of a training on disk, and file names that no other training shares."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from models.common.paths import atomic_write
from training.data.batches import BatchMix, Floats
from training.data.corpus import Corpus
from training.data.partitions import Partition
from training.errors import TrainingError, WeightsError
from training.finetuning.recipe import FineTuningRecipe


@dataclass(slots=True)
class Checkpoint:
    """Where a training stands; everything that ``save`` and ``load`` must carry to go on from there.

    ``others`` are the state of each optimizer and, last, of the dropouts' random generators.
    """

    step: int
    weights: list[Floats]
    averaged: list[Floats]
    best: list[Floats]
    best_loss: float
    best_step: int
    history: list[dict[str, Any]]
    others: list[list[Floats]]

    def save(self, path: Path) -> None:
        """Write whole or not at all."""
        with atomic_write(path) as file:
            pickle.dump(self, file)

    @classmethod
    def load(cls, path: Path, weights: Sequence[Floats], others: Sequence[Sequence[Any]]) -> Checkpoint:
        """Read what ``save`` wrote on this machine; never give it a file from elsewhere.

        Parameters
        ----------
        weights, others
            Of the network that is to go on; only their shapes are looked at.

        Raises
        ------
        TrainingError
            The file is damaged, or of another network.
        """
        remedy = "delete it, and the training begins anew"
        try:
            with path.open("rb") as file:
                state = cast(Checkpoint, pickle.load(file))
            found = [[np.shape(each) for each in group] for group in (state.weights, *state.others)]
            _ = state.step, state.averaged, state.best, state.best_loss, state.best_step, state.history
        except Exception as error:  # whatever the damaged bytes happen to mean to pickle
            raise TrainingError(f"the checkpoint {path} is damaged: {error}; {remedy}") from error
        wanted = [[tuple(each.shape) for each in group] for group in (weights, *others)]
        if found != wanted:
            counts = [sum(map(len, shapes)) for shapes in (found, wanted)]
            raise TrainingError(
                f"the checkpoint {path} is of another network: its {counts[0]} arrays have not the shapes "
                f"of this one's {counts[1]}; {remedy}"
            )
        return state


def checkpoint_paths(checkpoint: Path, recipe: FineTuningRecipe) -> list[Path]:
    """Where each run of a training keeps its progress."""
    return [checkpoint.with_suffix(f".{number}.checkpoint") for number in range(recipe.runs)]


HASHED_PACKAGES: Final = ("data", "networks", "evaluation", "finetuning")
"""Packages whose change makes another training of the same recipe."""


def checkpoint_name(
    corpus: Corpus,
    parts: Partition,
    recipe: FineTuningRecipe,
    *,
    seed: int,
    taught: Path | None,
    mixture: BatchMix | None = None,
) -> str:
    """Name of one training, without a suffix: split, steps, seed and a digest of all that it hangs on.

    The digest has eight hex digits: recipe, seed, all tracks and when they were prepared, taught weights,
    mixture and the packages that train.

    Raises
    ------
    WeightsError
        ``taught`` cannot be read.
    """
    listed = [
        [(e.source, e.name, (corpus.folder / e.file).stat().st_mtime_ns) for e in part]
        for part in (parts.train, parts.valid, parts.test)
    ]
    weights = weights_sha256(taught) if taught else "ImageNet"
    code = [
        [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(folder.glob("*.py"))]
        for folder in (Path(str(files("training"))) / name for name in HASHED_PACKAGES)
    ]
    what = [asdict(recipe), seed, listed, weights, asdict(mixture or BatchMix()), code]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]
    return f"{parts.name.replace(' ', '-')}-{recipe.steps}-{seed}-{digest}"


def weights_sha256(taught: Path) -> str:
    """SHA-256 of taught weights, in hexadecimal digits.

    Raises
    ------
    WeightsError
        The file cannot be read.
    """
    try:
        return hashlib.sha256(taught.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(
            f"cannot read the taught weights {taught}: {error}; restore them or run overheard train distill"
        ) from error
