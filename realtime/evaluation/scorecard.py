"""What an evaluation found, for machines and for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.manifest import ModelManifest
from models.metrics import Floats, Labels, bootstrap_interval, compute_scores
from realtime.evaluation.tables import SkippedFile

if TYPE_CHECKING:
    from rich.console import RenderableType

DIGITS = 4

Advance = Callable[[int, int], None]
"""Told how many tracks are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A model's answers, one a track.

    ``probabilities`` (n, genres) float64 are calibrated, each row the mean of a track's windows;
    ``labels`` (n,) int64 are the true genres. ``skipped`` is None where files cannot be;
    ``first_windows``, like ``probabilities`` but of each track's first window alone, where not known.
    """

    probabilities: Floats
    labels: Labels
    skipped: tuple[SkippedFile, ...] | None = None
    first_windows: Floats | None = None


def genre_number(labels: Sequence[str], name: str) -> int | None:
    """Position of a genre among the labels, whatever its capitals; None if it is not among them."""
    folded = [label.casefold() for label in labels]
    return folded.index(name.casefold()) if name.casefold() in folded else None


def scorecard(answers: Predictions, manifest: ModelManifest) -> dict[str, Any]:
    """Every measure under the name that ``--json`` prints.

    ``accuracy_interval`` is the 95 % bootstrap interval by track; ``unsure`` the share of tracks below
    the manifest's ``unsure_below`` and ``answered_accuracy`` the accuracy of the others. What cannot be
    known, such as the recall of a genre without tracks, is None.

    Raises
    ------
    ValueError
        No answers.
    """
    scores = compute_scores(answers.probabilities, answers.labels)
    right = answers.probabilities.argmax(axis=1) == answers.labels
    answered = answers.probabilities.max(axis=1) >= manifest.calibration.unsure_below

    def by_genre(values: Sequence[float]) -> dict[str, float | None]:
        return {
            label: None if math.isnan(value) else round(value, DIGITS)
            for label, value in zip(manifest.labels, values, strict=True)
        }

    card: dict[str, Any] = {
        "model": f"{manifest.name} {manifest.version}",
        "tracks": scores.tracks,
        "accuracy": round(scores.accuracy, DIGITS),
        "accuracy_interval": [round(end, DIGITS) for end in bootstrap_interval(right)],
        "ece": round(scores.ece, DIGITS),
        "unsure": round(float(np.mean(~answered)), DIGITS),
        "answered_accuracy": round(float(right[answered].mean()), DIGITS) if answered.any() else None,
        "recall": by_genre(scores.recall),
        "f1": by_genre(scores.f1),
        "confusion": {"labels": list(manifest.labels), "rows": [list(row) for row in scores.confusion]},
    }
    if answers.first_windows is not None:
        first = answers.first_windows.argmax(axis=1) == answers.labels
        card["accuracy_first_window"] = round(float(first.mean()), DIGITS)
    if answers.skipped is not None:
        card["skipped"] = [{"file": each.file, "reason": each.reason} for each in answers.skipped]
    return card


def tables(card: dict[str, Any], unsure_below: float) -> list[RenderableType]:
    """Lay a scorecard out for a terminal: the figures, the genres with their confusion, the skipped."""
    from rich.table import Table
    from rich.text import Text

    low, high = card["accuracy_interval"]
    figures = {
        "model": card["model"],
        "tracks": str(card["tracks"]),
        "accuracy": f"{card['accuracy']:.3f} (95 % of resamplings by track: {low:.3f} to {high:.3f})",
        "ece": f"{card['ece']:.3f} (confidence against accuracy, 10 bins of equal mass)",
        "unsure": f"{card['unsure']:.3f} of the tracks, below a confidence of {unsure_below:.2f}",
        "answered": f"{_figure(card['answered_accuracy'], 3)} accuracy of the others",
    }
    summary = Table.grid(padding=(0, 2))
    if "accuracy_first_window" in card:
        figures["first window"] = f"{card['accuracy_first_window']:.3f} accuracy of each track's first alone"
    if card.get("split"):
        figures["split"] = card["split"]
    for name, value in figures.items():
        summary.add_row(name, Text(value))

    genres = Table(box=None, padding=(0, 1), title="rows are the truth, numbered columns the answer")
    for heading in ("", "genre", "tracks", "recall", "F1"):
        genres.add_column(heading, justify="left" if heading == "genre" else "right", no_wrap=True)
    labels, rows = card["confusion"]["labels"], card["confusion"]["rows"]
    for number in range(1, len(labels) + 1):
        genres.add_column(str(number), justify="right", no_wrap=True)
    for number, (label, row) in enumerate(zip(labels, rows, strict=True), start=1):
        measures = (_figure(card[name][label], 2) for name in ("recall", "f1"))
        genres.add_row(str(number), Text(label), str(sum(row)), *measures, *map(str, row))

    parts: list[RenderableType] = [summary, Text(), genres]
    if "skipped" in card:
        parts.append(Text(f"\nskipped {len(card['skipped'])}"))
        parts += [Text(f"  {each['file']}: {each['reason']}") for each in card["skipped"]]
    return parts


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
