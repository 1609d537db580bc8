"""Record of the code, weights and data that a model was made from."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from models.common.child_environment import child_environment
from training.data.corpus import INDEX_FILE, Corpus
from training.errors import TrainingError
from training.finetuning.recipe import TrainingRun
from training.networks.pretrained import DISTILLED_WEIGHTS, weights_sha256

PACKAGE: Final = Path(str(files("training")))
"""Folder of the package whose checkout is recorded."""


def record_provenance(corpus: Corpus, run: TrainingRun) -> dict[str, Any]:
    """Describe for the manifest what a model is made from. ``commit`` is None outside a checkout.

    ``shipped_backbone`` says that the backbone is the shipped one, whose distillation is documented.

    Raises
    ------
    TrainingError
        If the training starts from ImageNet's weights, which no release does.
    WeightsError
        If the backbone's weights cannot be read.
    """
    if run.backbone is None:
        raise TrainingError("a release starts from distilled weights; name their file with --backbone")
    index = hashlib.sha256((corpus.folder / INDEX_FILE).read_bytes()).hexdigest()
    return {
        "commit": current_commit(),
        "distilled_sha256": weights_sha256(run.backbone)[:12],
        "cache_index_sha256": index[:12],
        "seed": run.seed,
        "recipe": asdict(run.recipe),
        "mixture": asdict(run.mix),
        "shipped_backbone": is_shipped_backbone(run.backbone),
    }


def current_commit(package: Path = PACKAGE) -> str | None:
    """Return the commit of the checkout with ``package`` in its top folder, or None without such a checkout.

    " with changes" is appended if the files differ from the commit.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=package,
            capture_output=True,
            text=True,
            check=True,
            env=child_environment(),
        )
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.resolve().parent:
            return None  # installed inside another project
        return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def is_shipped_backbone(path: Path) -> bool:
    """Return True if a file holds the shipped distilled weights."""
    return DISTILLED_WEIGHTS.exists() and weights_sha256(path) == weights_sha256(DISTILLED_WEIGHTS)
