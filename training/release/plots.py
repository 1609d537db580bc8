"""The model card's plots: confusion, reliability, learning curves, and accuracy against latency."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from training.data.gtzan import LABELS
from training.evaluation.report import TESTED, Report


def draw_plots(
    report: Report, target: Path | IO[bytes], latencies: list[dict[str, Any]] | None = None
) -> None:
    """Draw the four plots into one PNG image.

    Parameters
    ----------
    report : Report
    target : Path or binary file
    latencies : list of dict, optional
        ``name``, ``ms`` (inference of one image on one thread) and ``accuracy`` (fault-filtered test) of
        each network that was timed.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ((confusion, reliability), (curves, speed)) = pyplot.subplots(2, 2, figsize=(12, 11))
    _draw_confusion(confusion, report)
    _draw_reliability(reliability, report)
    _draw_curves(curves, report)
    _draw_speed(speed, latencies or [])
    figure.tight_layout(pad=2)
    figure.savefig(target, format="png", dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def _draw_confusion(axes: Any, report: Report) -> None:
    counts = np.array(report.scores(TESTED).confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        dark = shares[row, column] > 0.5
        axes.text(
            column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black"
        )
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=45, ha="right")
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(
        xlabel="predicted genre", ylabel="true genre", title="Confusion: first 5 s of each test track, int8"
    )


def _draw_reliability(axes: Any, report: Report) -> None:
    predictions = report.test[TESTED]
    temperature = report.calibration.temperature
    for name, probabilities, truth in (
        ("window", predictions.probabilities(temperature), predictions.window_labels),
        ("track", predictions.track_means(temperature), predictions.eval_set.labels),
    ):
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == truth
        bins = np.array_split(np.argsort(confidence), 10)
        points = [(confidence[b].mean(), correct[b].mean()) for b in bins if len(b)]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="calibrated")
    axes.axvline(report.calibration.unsure_below, color="grey", linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
    axes.set_title("Reliability on test tracks, 10 bins of equal mass; line: confidence threshold")
    axes.legend()


def _draw_curves(axes: Any, report: Report) -> None:
    steps = [row["step"] for row in report.history]
    axes.plot(steps, [row["loss"] for row in report.history], label="training loss (mixed, smoothed)")
    for geometry in report.valid:
        loss = [row[f"{geometry} nll"] for row in report.history]
        accuracy = [row[f"{geometry} first"] for row in report.history]
        axes.plot(steps, loss, label=f"validation NLL, {geometry}")
        axes.plot(steps, accuracy, "--", label=f"validation accuracy, {geometry}")
    kept = next(row["step"] for row in report.history if row["best"])
    axes.axvline(kept, color="grey", linewidth=0.8)
    axes.set(
        xlabel="step, run after run", title="Learning curves; line: the mean of the runs", ylim=(0, None)
    )
    axes.legend(fontsize=8, loc="lower left")


def _draw_speed(axes: Any, latencies: list[dict[str, Any]]) -> None:
    for each in latencies:
        axes.scatter(each["ms"], each["accuracy"], label=each["name"])
    axes.set(xlabel="ms per image, one thread", ylabel="accuracy, fault-filtered test", xlim=(0, None))
    axes.set_title("Accuracy against latency" if latencies else "Accuracy against latency: not measured")
    axes.margins(x=0.3, y=0.2)
    if latencies:
        axes.legend()
