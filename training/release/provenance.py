"""Record of the code, weights and data that a model was made from."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from training.data.batches import BatchMix
from training.data.corpus import INDEX_FILE, Corpus
from training.finetuning.checkpoint import weights_sha256
from training.finetuning.recipe import FineTuningRecipe
from training.networks.pretrained import DISTILLED_WEIGHTS

PACKAGE: Final = Path(str(files("training")))


def record_provenance(corpus: Corpus, recipe: FineTuningRecipe, *, seed: int, taught: Path) -> dict[str, Any]:
    """For the manifest: code, weights, data and recipe that a model was made from.

    ``current_commit`` is None outside a checkout.
    """
    index = hashlib.sha256((corpus.folder / INDEX_FILE).read_bytes()).hexdigest()
    return {
        "commit": current_commit(),
        "taught_sha256": weights_sha256(taught)[:12],
        "cache_index_sha256": index[:12],
        "seed": seed,
        "recipe": asdict(recipe),
        "mixture": asdict(BatchMix()),
    }


def current_commit(folder: Path = PACKAGE) -> str | None:
    """Commit of the checkout whose top folder holds ``folder``; None where it lies in no checkout of its own.

    "with changes" follows where the files are not the commit's.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != folder.resolve().parent:
            return None  # installed inside another project
        return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def is_shipped_backbone(taught: Path) -> bool:
    """Whether the weights are the ones that ship, of which it is known how they were taught."""
    return DISTILLED_WEIGHTS.exists() and weights_sha256(taught) == weights_sha256(DISTILLED_WEIGHTS)
