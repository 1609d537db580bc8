"""Build the scorecard of an evaluation, and render it as tables for a terminal."""

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
"""Decimal places of the figures in a scorecard."""

Advance = Callable[[int, int], None]
"""Function called with the number of items done and the number of all items."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of a model, one for each track.

    Attributes
    ----------
    probabilities : ndarray, shape (n, genres), float64
        Calibrated probabilities. Each row is the mean over the windows of a track.
    labels : ndarray, shape (n,), int64
        True genres.
    skipped : tuple of SkippedFile or None
        Files without a prediction, or None if the material is not a folder of files.
    first_windows : ndarray, shape (n, genres), float64, or None
        Probabilities of the first window of each track, or None if they are unknown.
    """

    probabilities: Floats
    labels: Labels
    skipped: tuple[SkippedFile, ...] | None = None
    first_windows: Floats | None = None


def build_scorecard(predictions: Predictions, manifest: ModelManifest) -> dict[str, Any]:
    """Compute all metrics, with the keys of ``--json``.

    ``accuracy_interval`` is the 95 % bootstrap interval over tracks. ``unsure`` is the share of tracks
    whose confidence is below ``unsure_below`` of the manifest. ``answered_accuracy`` is the accuracy of the
    other tracks. An undefined figure, such as the recall of a genre without tracks, is None.

    Raises
    ------
    ValueError
        If there are no predictions.
    """
    scores = compute_scores(predictions.probabilities, predictions.labels)
    correct = predictions.probabilities.argmax(axis=1) == predictions.labels
    answered = predictions.probabilities.max(axis=1) >= manifest.calibration.unsure_below

    def by_genre(values: Sequence[float]) -> dict[str, float | None]:
        return {
            label: None if math.isnan(value) else round(value, DIGITS)
            for label, value in zip(manifest.labels, values, strict=True)
        }

    card: dict[str, Any] = {
        "model": f"{manifest.name} {manifest.version}",
        "tracks": scores.tracks,
        "accuracy": round(scores.accuracy, DIGITS),
        "accuracy_interval": [round(end, DIGITS) for end in bootstrap_interval(correct)],
        "ece": round(scores.ece, DIGITS),
        "unsure": round(float(np.mean(~answered)), DIGITS),
        "answered_accuracy": round(float(correct[answered].mean()), DIGITS) if answered.any() else None,
        "recall": by_genre(scores.recall),
        "f1": by_genre(scores.f1),
        "confusion": {"labels": list(manifest.labels), "rows": [list(row) for row in scores.confusion]},
    }
    if predictions.first_windows is not None:
        first = predictions.first_windows.argmax(axis=1) == predictions.labels
        card["accuracy_first_window"] = round(float(first.mean()), DIGITS)
    if predictions.skipped is not None:
        card["skipped"] = [{"file": each.file, "reason": each.reason} for each in predictions.skipped]
    return card


def render_scorecard(card: dict[str, Any], unsure_below: float) -> list[RenderableType]:
    """Render a scorecard for a terminal: summary, genres with their confusion matrix, skipped files."""
    from rich.table import Table
    from rich.text import Text

    low, high = card["accuracy_interval"]
    figures = {
        "model": card["model"],
        "tracks": str(card["tracks"]),
        "accuracy": f"{card['accuracy']:.3f} (95 % bootstrap interval over tracks: {low:.3f} to {high:.3f})",
        "ece": f"{card['ece']:.3f} (expected calibration error, 10 bins of equal mass)",
        "unsure": f"{card['unsure']:.3f} of the tracks have a confidence below {unsure_below:.2f}",
        "answered": f"{format_figure(card['answered_accuracy'], 3)} accuracy on the other tracks",
    }
    summary = Table.grid(padding=(0, 2))
    if "accuracy_first_window" in card:
        figures["first window"] = f"{card['accuracy_first_window']:.3f} accuracy on the first windows alone"
    if card.get("split"):
        figures["split"] = card["split"]
    for name, value in figures.items():
        summary.add_row(name, Text(value))

    genres = Table(box=None, padding=(0, 1), title="rows: true genre, numbered columns: predicted genre")
    for heading in ("", "genre", "tracks", "recall", "F1"):
        genres.add_column(heading, justify="left" if heading == "genre" else "right", no_wrap=True)
    labels, rows = card["confusion"]["labels"], card["confusion"]["rows"]
    for number in range(1, len(labels) + 1):
        genres.add_column(str(number), justify="right", no_wrap=True)
    for number, (label, row) in enumerate(zip(labels, rows, strict=True), start=1):
        metrics = (format_figure(card[name][label], 2) for name in ("recall", "f1"))
        genres.add_row(str(number), Text(label), str(sum(row)), *metrics, *map(str, row))

    parts: list[RenderableType] = [summary, Text(), genres]
    if "skipped" in card:
        parts += render_skipped(card["skipped"])
    return parts


def render_skipped(skipped: Sequence[dict[str, str]]) -> list[RenderableType]:
    """Render the files of a scorecard that were skipped, with the reasons."""
    from rich.text import Text

    files = [Text(f"  {each['file']}: {each['reason']}") for each in skipped]
    return [Text(f"\nskipped {len(skipped)}"), *files]


def format_figure(value: float | None, digits: int) -> str:
    """Format a figure with a number of decimal places. None becomes a hyphen."""
    return "-" if value is None else f"{value:.{digits}f}"
