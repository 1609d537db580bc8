"""Metrics and calibration of a report, from made-up predictions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from models.metrics import expected_calibration_error
from tests.support.reports import PROTOCOLS, report
from training.evaluation.calibration import choose_confidence_threshold
from training.evaluation.report import Report, calibrate

__all__ = ["report"]  # fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]  # matplotlib's own deprecations


def test_metrics_are_plain_and_consistent_values(report: Report) -> None:
    metrics = json.loads(json.dumps(report.metrics(PROTOCOLS), allow_nan=False))
    test = metrics["fault_filtered_test"]
    assert list(test) == ["fine", "coarse"]
    assert test["fine"]["accuracy_int8"] == test["fine"]["accuracy_float32"]  # the same logits
    assert test["fine"]["top1_agreement_int8_float32"] == 1
    assert test["coarse"]["top1_agreement_int8_float32"] < 1
    for form in test.values():
        confusion = np.array(form["confusion_int8"])
        assert np.trace(confusion) / 18 == pytest.approx(form["accuracy_int8"], abs=1e-4)
        assert form["f1_int8"]["metal"] is form["recall_int8"]["metal"] is None
    assert test["coarse"]["accuracy_all_windows_int8"] >= test["coarse"]["accuracy_int8"]
    measured = report.test["coarse"]
    windows = measured.probabilities(report.calibration.temperature)
    error = expected_calibration_error(windows, measured.eval_set.labels[measured.eval_set.track])
    assert test["coarse"]["ece_windows_int8"] == pytest.approx(error, abs=1e-4)
    assert test["coarse"]["ece_interval"][0] < test["coarse"]["ece_interval"][1]


def test_calibration_is_fitted_on_validation(report: Report) -> None:
    calibration = report.calibration
    assert calibration.fitted_on == "54 windows of 18 validation tracks (GTZAN's arrays)"
    assert calibration.music_above == 0.5  # all windows say 0.88; more than 0.5 is never asked for
    assert 0.1 < calibration.temperature < 0.9  # noise of 1 on a lead of 3: 1/3 would be exact


def test_the_threshold_holds_for_every_source_with_enough_tracks(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source on which the model is right less often asks for more confidence."""
    predictions = report.valid["coarse"]
    labels = predictions.eval_set.labels.copy()
    sources = ["easy"] * (len(labels) // 2) + ["hard"] * (len(labels) - len(labels) // 2)
    hard = np.array(sources) == "hard"
    labels[hard] = (labels[hard] + 1) % 2  # mostly wrong
    measured = {"coarse": replace(predictions, eval_set=replace(predictions.eval_set, labels=labels))}
    monkeypatch.setattr("training.evaluation.report.FEWEST_TRACKS", len(labels))
    easy_alone = calibrate(measured, "coarse", sources)
    monkeypatch.setattr("training.evaluation.report.FEWEST_TRACKS", 5)
    both = calibrate(measured, "coarse", sources)
    means = measured["coarse"].track_means(both.temperature)
    assert both.unsure_below >= choose_confidence_threshold(means[hard], labels[hard])
    assert both.unsure_below >= easy_alone.unsure_below
    assert both.fitted_on.endswith("(easy 9, hard 9)")
