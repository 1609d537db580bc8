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
from training.data.batches import Floats
from training.data.corpus import Corpus
from training.errors import TrainingError
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.networks.pretrained import weights_sha256

HASHED_PACKAGES: Final = ("data", "networks", "evaluation", "finetuning")
"""Packages of ``training`` whose source is part of a training's name, so that changed code trains anew."""


@dataclass(slots=True)
class Checkpoint:
    """State from which a training can continue.

    Attributes
    ----------
    step : int
        Last step that is part of this state.
    weights, averaged : list of array
        The network's weights, and their exponential average.
    best, best_loss, best_step
        Averaged weights with the lowest validation loss, that loss, and its step.
    history : list of dict
        Values of each validation.
    auxiliary : list of list of array
        State of each optimizer and, last, of the dropout layers' random generators.
    """

    step: int
    weights: list[Floats]
    averaged: list[Floats]
    best: list[Floats]
    best_loss: float
    best_step: int
    history: list[dict[str, Any]]
    auxiliary: list[list[Floats]]

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically."""
        with atomic_write(path) as file:
            pickle.dump(self, file)

    @classmethod
    def load(cls, path: Path, weights: Sequence[Floats], auxiliary: Sequence[Sequence[Any]]) -> Checkpoint:
        """Read a checkpoint that ``save`` wrote on this machine. A pickle from elsewhere can run any code.

        Parameters
        ----------
        path : Path
        weights, auxiliary
            Arrays of the network that is to continue. Only their shapes are compared.

        Raises
        ------
        TrainingError
            If the file is damaged or of another network.
        """
        remedy = "delete it, and the training starts anew"
        try:
            with path.open("rb") as file:
                state = cast(Checkpoint, pickle.load(file))
            found = [[np.shape(each) for each in group] for group in (state.weights, *state.auxiliary)]
            _ = state.step, state.averaged, state.best, state.best_loss, state.best_step, state.history
        except Exception as error:  # damaged bytes can make pickle raise anything
            raise TrainingError(f"the checkpoint {path} is damaged: {error}; {remedy}") from error
        expected = [[tuple(each.shape) for each in group] for group in (weights, *auxiliary)]
        if found != expected:
            counts = [sum(map(len, shapes)) for shapes in (found, expected)]
            raise TrainingError(
                f"the checkpoint {path} is of another network: the shapes of its {counts[0]} arrays are not "
                f"those of this network's {counts[1]}; {remedy}"
            )
        return state


def checkpoint_paths(checkpoint: Path, recipe: FineTuningRecipe) -> list[Path]:
    """Return the checkpoint file of each run of a training."""
    return [checkpoint.with_suffix(f".{number}.checkpoint") for number in range(recipe.runs)]


def checkpoint_name(corpus: Corpus, run: TrainingRun) -> str:
    """Name a training by split, steps, seed and a digest of everything that its result depends on.

    The digest has eight hexadecimal digits. It covers the run, all tracks and the time of their
    preparation, the backbone's weights, and the source of ``HASHED_PACKAGES``.

    Raises
    ------
    WeightsError
        If the backbone's weights cannot be read.
    """
    partition, recipe = run.partition, run.recipe
    tracks = [
        [(*asdict(e).values(), (corpus.folder / e.file).stat().st_mtime_ns) for e in part]
        for part in (partition.train, partition.valid, partition.test, partition.valid_recordings)
    ]
    weights = weights_sha256(run.backbone) if run.backbone else "ImageNet"
    code = [
        [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(folder.glob("*.py"))]
        for folder in (Path(str(files("training"))) / name for name in HASHED_PACKAGES)
    ]
    state = [asdict(recipe), run.seed, tracks, weights, asdict(run.mix), code]
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:8]
    return f"{partition.name.replace(' ', '-')}-{recipe.steps}-{run.seed}-{digest}"
