"""Metrics and calibration of a report, from made-up predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.metrics import expected_calibration_error
from tests.support.reports import PROTOCOLS, report
from training.evaluation.calibration import choose_confidence_threshold
from training.evaluation.report import (
    Report,
    calibrate,
    geometry_with_most_windows,
)

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
    assert calibration.fitted_on == "54 windows of 18 validation tracks of the fault-filtered split"
    assert calibration.music_above == 0.5  # all windows say 0.88; more than 0.5 is never asked for
    assert 0.1 < calibration.temperature < 0.9  # noise of 1 on a lead of 3: 1/3 would be exact


def test_the_threshold_is_fitted_where_windows_have_neighbors(report: Report) -> None:
    """The fine arrays hold one window per track, which is no smoothed estimate."""
    fine, coarse = calibrate(report.valid, "fine"), calibrate(report.valid, "coarse")
    assert fine.fitted_on.startswith("18 windows")
    assert geometry_with_most_windows(report.valid, "fine") == "coarse"
    means, truth = report.valid["coarse"].smoothed(fine.temperature)
    assert fine.unsure_below == choose_confidence_threshold(means, truth)
    same = {"fine": report.valid["fine"], "coarse": report.valid["fine"]}
    assert [geometry_with_most_windows(same, form) for form in same] == ["fine", "coarse"]
    assert coarse.fitted_on.startswith("54 windows")
