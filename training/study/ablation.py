"""What each part of the recipe is worth: the same short training without it, on one split and one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from training.data import partitions
from training.data.batches import Mixture
from training.data.corpus import Corpus, Entry
from training.data.partitions import Parts
from training.finetuning.recipe import FineTuning
from training.networks.pretrained import DISTILLED_WEIGHTS
from training.parallel import Runs, one_by_one
from training.study.protocols import run

STEPS: Final = 150
"""Batches of each run: enough to tell large effects."""

PROBE: Final = 250
"""Batches that its head is first fitted to."""


@dataclass(frozen=True, slots=True)
class Without:
    """One row: a change to the recipe, its batches, what it begins with or what it is trained on."""

    name: str
    recipe: dict[str, Any]
    mixture: dict[str, Any]
    taught: bool = True
    keep: Callable[[Entry], bool] = lambda entry: True


ROWS: Final = (
    Without("everything", {}, {}),
    Without("ImageNet's weights, not taught ones", {}, {}, taught=False),
    Without("head not fitted first, learns ten times as fast", {"probe": 0, "head_rate": 1e-3}, {}),
    Without("no teacher while fine-tuning", {"heard_weight": 0.0}, {}),
    Without(
        "no recordings, so no teacher",
        {},
        {"genre_share": 1 - Mixture().no_music_share},
        keep=lambda e: e.source == "gtzan" or not e.music,
    ),
    Without("fine picture only", {}, {"coarse_share": 0.0}),
    Without("coarse picture only", {}, {"coarse_share": 1.0}),
    Without("no mixup", {"mixup": 0.0}, {}),
    Without("labels smoothed by 0.1", {"label_smoothing": 0.1}, {}),
    Without("backbone as taught", {"backbone_rate": 0.0}, {}),
)


def ablation(
    corpus: Corpus,
    work: Path,
    *,
    steps: int = STEPS,
    probe: int = PROBE,
    rows: Sequence[Without] = ROWS,
    taught: Path = DISTILLED_WEIGHTS,
    runs: Runs = one_by_one,
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
        each: Parts = replace(split, train=tuple(entry for entry in split.train if row.keep(entry)))
        recipe = replace(FineTuning(), runs=1, validate_every=max(1, steps // 2))
        recipe = replace(recipe, **({"probe": probe, "steps": steps} | row.recipe))
        mixture = replace(Mixture(), **row.mixture)
        calls.append((corpus, each, recipe, 0, work, taught if row.taught else None, mixture))
    named = zip(rows, runs(run, calls), strict=True)
    return [{"name": row.name, "steps": steps} | measured for row, measured in named]


def table(found: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown: accuracy on the test part, and in brackets on validation."""
    forms = list(found[0]["test"])
    columns = [(form, place) for form in forms for place in range(2) if (form, place) != ("fine", 1)]
    heads = [f"{form}, {'all windows' if place else 'first window'}" for form, place in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row in found:
        cells = [f"{row['test'][f][p]:.3f} ({row['valid'][f][p]:.3f})" for f, p in columns]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
