"""Ablation of the recipe: the same short training without each part, on one split and one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from training.data import partitions
from training.data.batches import BatchMix
from training.data.corpus import Corpus, Entry
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.networks.pretrained import DISTILLED_WEIGHTS
from training.parallel import SEQUENTIAL, Executor
from training.study.protocols import train_and_score

ABLATION_STEPS: Final = 150
"""Batches of each run, enough to detect large effects."""

ABLATION_PROBE_BATCHES: Final = 250
"""Batches that the head of each run is first fitted to."""


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One change of the recipe, of the batches, of the initial weights, or of the training tracks."""

    name: str
    recipe: dict[str, Any] = field(default_factory=dict)
    mix: dict[str, Any] = field(default_factory=dict)
    distilled: bool = True
    keep: Callable[[Entry], bool] = lambda entry: True


ROWS: Final = (
    AblationRow("everything"),
    AblationRow("ImageNet's weights, not distilled ones", distilled=False),
    AblationRow("head not fitted first", {"probe": 0}),
    AblationRow("no teacher embeddings in fine-tuning", {"embedding_weight": 0.0}),
    AblationRow(
        "no recordings, so no teacher embeddings",
        mix={"genre_share": 1 - BatchMix().no_music_share},
        keep=lambda e: e.source == "gtzan" or not e.music,
    ),
    AblationRow("no live geometry", mix={"live_share": 0.0}),
    AblationRow("no songs of other artists", keep=lambda e: e.source.startswith("gtzan") or not e.genre),
    AblationRow("no mixup", {"mixup": 0.0}),
    AblationRow("labels smoothed by 0.1", {"label_smoothing": 0.1}),
    AblationRow("backbone fine-tuned too", {"backbone_rate": 2e-4, "head_rate": 1e-4}),
)


def run_ablation(
    corpus: Corpus,
    work: Path,
    *,
    steps: int = ABLATION_STEPS,
    probe: int = ABLATION_PROBE_BATCHES,
    rows: Sequence[AblationRow] = ROWS,
    executor: Executor = SEQUENTIAL,
) -> list[dict[str, Any]]:
    """Train every row on the fault-filtered split. ``work`` keeps results and checkpoints of the rows.

    Returns
    -------
    list of dict
        ``name``, ``steps``, and the accuracies of ``train_and_score``. Validation decides which step is
        kept; the test part decides nothing.
    """
    base = TrainingRun(
        partitions.fault_filtered(corpus),
        replace(FineTuningRecipe(), runs=1, validate_every=max(1, steps // 2), probe=probe, steps=steps),
    )
    runs = [_apply_row(base, row) for row in rows]
    results = executor.run(train_and_score, [(corpus, run, work) for run in runs])
    return [{"name": row.name, "steps": steps} | result for row, result in zip(rows, results, strict=True)]


def _apply_row(base: TrainingRun, row: AblationRow) -> TrainingRun:
    train = tuple(entry for entry in base.partition.train if row.keep(entry))
    return replace(
        base,
        partition=replace(base.partition, train=train),
        recipe=replace(base.recipe, **row.recipe),
        backbone=DISTILLED_WEIGHTS if row.distilled else None,
        mix=replace(base.mix, **row.mix),
    )


def format_ablation_table(results: Sequence[dict[str, Any]]) -> str:
    """Format the rows as Markdown: accuracy on the test part, and on validation in parentheses."""
    geometries = list(results[0]["test"])
    columns = [
        (g, all_windows) for g in geometries for all_windows in range(2) if (g, all_windows) != ("fine", 1)
    ]
    heads = [f"{g}, {'all windows' if all_windows else 'first window'}" for g, all_windows in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for row in results:
        cells = [f"{row['test'][g][i]:.3f} ({row['valid'][g][i]:.3f})" for g, i in columns]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
