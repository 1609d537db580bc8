"""What each part of the recipe is worth: the same short training without it, on one split and one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from training.data import partitions
from training.data.batches import BatchMix
from training.data.corpus import Corpus, Entry
from training.data.partitions import Partition
from training.finetuning.recipe import FineTuningRecipe
from training.networks.pretrained import DISTILLED_WEIGHTS
from training.parallel import Executor, sequential
from training.study.protocols import train_and_score

ABLATION_STEPS: Final = 150
"""Batches of each run: enough to tell large effects."""

ABLATION_PROBE_BATCHES: Final = 250
"""Batches that its head is first fitted to."""


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One row: a change to the recipe, its batches, what it begins with or what it is trained on."""

    name: str
    recipe: dict[str, Any]
    mixture: dict[str, Any]
    taught: bool = True
    keep: Callable[[Entry], bool] = lambda entry: True


ROWS: Final = (
    AblationRow("everything", {}, {}),
    AblationRow("ImageNet's weights, not taught ones", {}, {}, taught=False),
    AblationRow("head not fitted first, learns ten times as fast", {"probe": 0, "head_rate": 1e-3}, {}),
    AblationRow("no teacher while fine-tuning", {"embedding_weight": 0.0}, {}),
    AblationRow(
        "no recordings, so no teacher",
        {},
        {"genre_share": 1 - BatchMix().no_music_share},
        keep=lambda e: e.source == "gtzan" or not e.music,
    ),
    AblationRow("fine picture only", {}, {"coarse_share": 0.0}),
    AblationRow("coarse picture only", {}, {"coarse_share": 1.0}),
    AblationRow("no mixup", {"mixup": 0.0}, {}),
    AblationRow("labels smoothed by 0.1", {"label_smoothing": 0.1}, {}),
    AblationRow("backbone as taught", {"backbone_rate": 0.0}, {}),
)


def run_ablation(
    corpus: Corpus,
    work: Path,
    *,
    steps: int = ABLATION_STEPS,
    probe: int = ABLATION_PROBE_BATCHES,
    rows: Sequence[AblationRow] = ROWS,
    taught: Path = DISTILLED_WEIGHTS,
    runs: Executor = sequential,
) -> list[dict[str, Any]]:
    """Train every row on the fault-filtered split; each takes minutes, is resumable and kept in ``work``.

    Returns
    -------
    list of dict
        ``name``, ``steps``, and for each of ``valid`` and ``test`` and each form the accuracy of a track's
        first window and of its windows together. Validation chose the step; the test part chose nothing.
    """
    split = partitions.fault_filtered(corpus)
    calls = []
    for row in rows:
        each: Partition = replace(split, train=tuple(entry for entry in split.train if row.keep(entry)))
        recipe = replace(FineTuningRecipe(), runs=1, validate_every=max(1, steps // 2))
        recipe = replace(recipe, **({"probe": probe, "steps": steps} | row.recipe))
        mixture = replace(BatchMix(), **row.mixture)
        calls.append((corpus, each, recipe, 0, work, taught if row.taught else None, mixture))
    named = zip(rows, runs(train_and_score, calls), strict=True)
    return [{"name": row.name, "steps": steps} | measured for row, measured in named]


def format_ablation_table(found: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown: accuracy on the test part, and in brackets on validation."""
    forms = list(found[0]["test"])
    columns = [(form, place) for form in forms for place in range(2) if (form, place) != ("fine", 1)]
    heads = [f"{form}, {'all windows' if place else 'first window'}" for form, place in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row in found:
        cells = [f"{row['test'][f][p]:.3f} ({row['valid'][f][p]:.3f})" for f, p in columns]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
