"""Measurements of a model that go into its manifest, model card and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from models.manifest import Calibration
from models.metrics import Scores, calibration_error_interval, compute_scores, expected_calibration_error
from training.data.corpus import Corpus
from training.data.gtzan import LABELS
from training.data.partitions import Partition
from training.evaluation.calibration import choose_confidence_threshold, choose_music_threshold
from training.evaluation.predictions import Predictions

TESTED: Final = "fine"
"""Geometry of the test part whose figures stand for GTZAN: few of its test tracks are available as audio."""

CONFIDENT_ACCURACY: Final = 0.82
"""Accuracy of confident predictions on validation tracks, 2 points more than they need elsewhere."""

FEWEST_TRACKS: Final = 30
"""Fewest validation tracks for which a source is counted in the confidence threshold."""


@dataclass(frozen=True, slots=True)
class Report:
    """Measurements of one model.

    Attributes
    ----------
    main : str
        Geometry of the live path: the live one, or a stored one if there are no recordings to measure.
    history : list of dict
        Values of each validation.
    valid, test, test_float32 : dict of Predictions
        Predictions by geometry: of the int8 model on both parts, and of the float32 model on the test part.
    calibration : Calibration
    out_of_domain, non_music : dict
        From ``training.evaluation.held_out``.
    data : dict
        From ``count_data``.
    latency_ms, model_bytes : dict
        Latency and size of each timed model by name.
    provenance : dict
    similarity : dict
        From ``training.evaluation.similarity``. Empty if the model has no embedding.
    """

    main: str
    history: list[dict[str, Any]]
    valid: dict[str, Predictions]
    test: dict[str, Predictions]
    test_float32: dict[str, Predictions]
    calibration: Calibration
    out_of_domain: dict[str, Any]
    non_music: dict[str, Any]
    data: dict[str, Any]
    latency_ms: dict[str, float]
    model_bytes: dict[str, int]
    provenance: dict[str, Any]
    similarity: dict[str, Any] = field(default_factory=dict)

    def scores(
        self,
        geometry: str,
        *,
        all_windows: bool = False,
        of: Literal["valid", "test", "test_float32"] = "test",
    ) -> Scores:
        """Score the first window of each track, or the mean of all windows."""
        predictions: Predictions = getattr(self, of)[geometry]
        temperature = self.calibration.temperature
        probabilities = (
            predictions.track_means(temperature) if all_windows else predictions.first_windows(temperature)
        )
        return compute_scores(probabilities, predictions.eval_set.labels)

    def metrics(self, protocols: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the manifest's ``metrics``, rounded. Their keys are those of the shipped manifest."""
        return {
            "network": "MobileNetV2+GRU, distilled, fine-tuned",
            "main_form": self.main,
            "tested_form": TESTED,
            "protocols": list(protocols),
            "valid_accuracy": round(self.scores(self.main, of="valid").accuracy, 4),
            "fault_filtered_test": {geometry: self._test_metrics(geometry) for geometry in self.test},
            "other_peoples_music": self.out_of_domain,
            "not_music": self.non_music,
            "similarity": self.similarity,
            "valid_at_unsure_below": self._confident_on_validation(),
            "latency_ms": self.latency_ms,
            "bytes": self.model_bytes,
            "data": self.data,
            "provenance": self.provenance,
        }

    def _confident_on_validation(self) -> dict[str, Any]:
        """Measure the confidence threshold on the means over tracks from which it was chosen."""
        predictions = self.valid[self.main]
        probabilities = predictions.track_means(self.calibration.temperature)
        labels = predictions.eval_set.labels
        confident = probabilities.max(axis=1) >= self.calibration.unsure_below
        correct = probabilities.argmax(axis=1) == labels
        return {
            "form": self.main,
            "answered": round(float(confident.mean()), 4),
            "accuracy": round(float(correct[confident].mean()), 4) if confident.any() else None,
        }

    def _test_metrics(self, geometry: str) -> dict[str, Any]:
        temperature, threshold = self.calibration.temperature, self.calibration.unsure_below
        int8, float32 = self.test[geometry], self.test_float32[geometry]
        first, labels = int8.first_windows(temperature), int8.eval_set.labels
        scores, confident = self.scores(geometry), first.max(axis=1) >= threshold
        windows, track = int8.probabilities(temperature), int8.eval_set.track
        low, high = calibration_error_interval(windows, int8.window_labels, track)
        correct = first.argmax(axis=1) == labels
        agree = int8.logits[:, :-1].argmax(axis=1) == float32.logits[:, :-1].argmax(axis=1)
        return {
            "tracks": scores.tracks,
            "accuracy_int8": round(scores.accuracy, 4),
            "accuracy_float32": round(self.scores(geometry, of="test_float32").accuracy, 4),
            "accuracy_all_windows_int8": round(self.scores(geometry, all_windows=True).accuracy, 4),
            "top1_agreement_int8_float32": round(float(agree.mean()), 4),
            "ece_windows_int8": round(expected_calibration_error(windows, int8.window_labels), 4),
            "ece_interval": [round(low, 4), round(high, 4)],
            "nll_int8": round(scores.nll, 4),
            "f1_int8": _round_by_genre(scores.f1),
            "recall_int8": _round_by_genre(scores.recall),
            "confusion_int8": [list(row) for row in scores.confusion],
            "answered_at_unsure_below": round(float(confident.mean()), 4),
            "accuracy_of_answered": round(float(correct[confident].mean()), 4) if confident.any() else None,
        }


def calibrate(
    valid: dict[str, Predictions],
    main: str,
    sources: Sequence[str] = (),
    degraded: Predictions | None = None,
) -> Calibration:
    """Fit temperature and thresholds on the validation part.

    The temperature is fitted on all windows of the main geometry. The confidence threshold is fitted on the
    means over each track's windows, because the smoothed estimate abstains, and because a mean is right more
    often than its confidence says. The confident predictions must be right on the tracks of every source
    that has ``FEWEST_TRACKS``. The music threshold is fitted on windows, all of which are music.

    Parameters
    ----------
    valid : dict of Predictions
        By geometry.
    main : str
        Geometry of the live path.
    sources : sequence of str
        Source of each track of the main geometry. Empty if all are of one source.
    degraded : Predictions, optional
        For degraded versions of the windows of the main geometry, to which the music threshold is fitted.
    """
    predictions = valid[main]
    temperature = round(predictions.best_temperature(), 4)
    means, labels = predictions.track_means(temperature), predictions.eval_set.labels
    names = np.array(sources or [""] * len(labels))
    counted = [name for name in np.unique(names) if (names == name).sum() >= FEWEST_TRACKS]
    parts = [np.ones(len(labels), bool), *(names == name for name in counted)]
    threshold = max(
        choose_confidence_threshold(means[part], labels[part], wanted_accuracy=CONFIDENT_ACCURACY)
        for part in parts
    )
    windows, tracks = len(predictions.window_labels), len(labels)
    fitted_on = f"{windows} windows of {tracks} validation tracks ({_count_sources(sources)})"
    return Calibration(
        temperature, threshold, fitted_on, choose_music_threshold((degraded or predictions).music_probability)
    )


def _count_sources(sources: Sequence[str]) -> str:
    counts = [f"{name} {sources.count(name)}" for name in sorted(set(sources))]
    return ", ".join(counts) or "GTZAN's arrays"


def count_data(corpus: Corpus, partition: Partition) -> dict[str, Any]:
    """Count GTZAN's tracks in the cache, and the recordings of each genre that are trained on."""
    recordings = [e for e in partition.train if e.source != "gtzan" and e.music]
    embedded = [e for e in recordings if len(corpus.windows(e).embeddings)]
    return {
        "gtzan_arrays": len(corpus.select(lambda e: e.source == "gtzan")),
        "gtzan_audio": len(corpus.select(lambda e: e.source == "gtzan-audio")),
        "heard_by_teachers": len(embedded),
        "recordings": {label: sum(e.genre == label for e in recordings) for label in LABELS},
    }


def _round_by_genre(values: Sequence[float]) -> dict[str, float | None]:
    """Round values, with None for a genre without tracks."""
    return {g: None if np.isnan(v) else round(v, 3) for g, v in zip(LABELS, values, strict=True)}
