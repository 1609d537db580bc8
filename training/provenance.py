"""What a model was made from, and names of files that no other training shares."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from training.corpus import INDEX, Corpus
from training.finetune import FineTuning
from training.imagenet import WeightsError
from training.parts import Parts
from training.sampling import Mixture
from training.teach import SHIPPED

MADE_BY: Final = ("augment", "finetune", "music_network", "probe", "release", "sampling")
"""Modules of this package whose change makes another training of the same recipe."""


def checkpoint_name(
    corpus: Corpus,
    parts: Parts,
    recipe: FineTuning,
    *,
    seed: int,
    taught: Path | None,
    mixture: Mixture | None = None,
) -> str:
    """Name of one training, without a suffix: split, steps, seed and a digest of all that it hangs on.

    The digest has eight hex digits: recipe, seed, all tracks and when they were prepared, taught weights,
    mixture and the modules that train.

    Raises
    ------
    WeightsError
        ``taught`` cannot be read.
    """
    listed = [
        [(e.source, e.name, (corpus.folder / e.file).stat().st_mtime_ns) for e in part]
        for part in (parts.train, parts.valid, parts.test)
    ]
    weights = sha256_of(taught) if taught else "ImageNet"
    code = [
        hashlib.sha256((Path(__file__).parent / f"{name}.py").read_bytes()).hexdigest() for name in MADE_BY
    ]
    what = [asdict(recipe), seed, listed, weights, asdict(mixture or Mixture()), code]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]
    return f"{parts.name.replace(' ', '-')}-{recipe.steps}-{seed}-{digest}"


def provenance(corpus: Corpus, recipe: FineTuning, *, seed: int, taught: Path) -> dict[str, Any]:
    """For the manifest: code, weights, data and recipe that a model was made from.

    ``commit`` is None outside a checkout.
    """
    index = hashlib.sha256((corpus.folder / INDEX).read_bytes()).hexdigest()
    return {
        "commit": commit(),
        "taught_sha256": sha256_of(taught)[:12],
        "cache_index_sha256": index[:12],
        "seed": seed,
        "recipe": asdict(recipe),
        "mixture": asdict(Mixture()),
    }


def commit(folder: Path = Path(__file__).parent) -> str | None:
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


def sha256_of(taught: Path) -> str:
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
            f"cannot read the taught weights {taught}: {error}; restore them or run overheard train teach"
        ) from error


def taught_by_musicnn(taught: Path) -> bool:
    """Whether the weights are the ones that ship, of which it is known how they were taught."""
    return SHIPPED.exists() and sha256_of(taught) == sha256_of(SHIPPED)
