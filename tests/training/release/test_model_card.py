"""The model card, rendered from a manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.reports import PROVENANCE, make_manifest, report
from training.evaluation.report import Report
from training.release.model_card import render_model_card

__all__ = ["report"]  # fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]  # matplotlib's own deprecations


def test_the_card_shows_the_metrics(report: Report, tmp_path: Path) -> None:
    made = make_manifest(tmp_path, report)
    card = render_model_card(made)
    test = made.metrics["fault_filtered_test"]
    for words in (
        "leaking artists", "no copyright clearance", "- made up.", "| A | 0.700 ± 0.010 |",
        f"| accuracy, first window, int8 | {test['fine']['accuracy_int8']:.3f} "
        f"| {test['coarse']['accuracy_int8']:.3f} |",
        "| speech pyAudioAnalysis | 4 | 0.125 | 0.250 |", "- songs: blues 0.50.",
        "| songs | 9 | 0.625 | 0.500 | blues | 75% | 80% |",
        "| metal |  |  |",
        "The geometry is the coarse one (`256` samples every `1334`)",
            "3.0 MB (11.0 MB with float32 kernels)",
        "18 were available as spectrograms and 3 as audio.", "rock 7, blues 2",
        "| this model, int8 | 2.50 | 3.0 |", "| this model, float32 | 7.25 | 11.0 |",
        "commit unknown (no checkout), distilled weights `0123456789ab`, cache index `ba9876543210`",
        "the head was fitted to 1,000 batches of 8 windows, then fine-tuned in 2 runs of 1,600",
    ):  # fmt: skip
        assert words in card
    assert "{" not in card
    f1 = {genre: value for genre, value in test["fine"]["f1_int8"].items() if value is not None}
    low, second = sorted(f1, key=lambda genre: (f1[genre], genre))[:2]
    assert f"{low} (F1 {f1[low]:.2f}) and {second} ({f1[second]:.2f}) are the weakest" in card
    valid, t = report.valid["coarse"], report.calibration.temperature
    means, truth = valid.track_means(t), valid.eval_set.labels
    confident = means.max(axis=1) >= report.calibration.unsure_below
    share = f"{(means.argmax(axis=1) == truth)[confident].mean():.0%}"
    assert f"a track's windows in the\ncoarse geometry reach it, and {share} of those are right" in card
    assert "distilled without labels" in card
    assert "the teachers' values of 4 of the recordings" in card
    assert "None: the cache has no values of the teachers." in card
    other = {
        "data": report.data | {"heard_by_teachers": 0},
        "provenance": PROVENANCE | {"shipped_backbone": False},
    }
    assert "teachers' values" not in render_model_card(replace(made, metrics=made.metrics | other))
    unmeasured = replace(made, metrics=made.metrics | {"protocols": []})
    assert "Not measured; pass" in render_model_card(unmeasured)
    bare = replace(made, metrics=made.metrics | {"other_peoples_music": {}, "not_music": {}})
    assert render_model_card(bare).count("Not measured: the cache has none.") == 2


def test_the_card_lists_the_tags_that_ship_and_those_that_do_not(report: Report, tmp_path: Path) -> None:
    measured = {"windows": 40, "threshold": 0.3, "precision": 0.75, "recall": 0.5}
    measures = [
        measured | {"name": "house", "kind": "style", "auc": 0.95, "ships": True},
        measured | {"name": "sad", "kind": "mood", "auc": 0.81, "ships": False},
        measured | {"name": "harp", "kind": "instrument", "auc": None, "ships": False},
    ]
    made = make_manifest(tmp_path, report)
    card = render_model_card(replace(made, metrics=made.metrics | {"tags": measures}))
    assert "| house | style | 40 | 0.950 | 0.300 | 0.75 | 0.50 |" in card
    assert "sad (0.81), harp (-)" in card


def test_the_card_says_when_the_gru_has_no_part(report: Report, tmp_path: Path) -> None:
    made = make_manifest(tmp_path, report)
    for best, gru, silent, beside in (
        (0, False, True, False),
        (0, True, False, True),
        (20, True, False, False),
    ):
        history = [{"step": step, "best": step == best, "gru": gru} for step in (0, 20)]
        card = render_model_card(replace(made, metrics=made.metrics | {"learning_curve": history}))
        assert ("the GRU's outputs are 0" in card) == silent
        assert ("GRU was trained beside the fitted weights" in card) == beside
