"""Model card, plots and comparison, from made-up measurements."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import OverheardError
from models.manifest import Calibration, ModelManifest, Quantization, TensorQuantization
from models.metrics import expected_calibration_error
from models.spectrogram.stft import band_edges
from training.cli import command
from training.data.eval_sets import EvalSet
from training.data.geometries import COARSE, FINE
from training.data.gtzan import LABELS
from training.evaluation.calibration import choose_confidence_threshold
from training.evaluation.held_out import SHARED_BANDWIDTH_HZ, limit_bandwidth
from training.evaluation.predictions import Predictions
from training.evaluation.report import (
    Report,
    calibrate,
    geometry_with_most_windows,
)
from training.release.model_card import render_model_card
from training.release.plots import draw_plots

pytestmark = [
    pytest.mark.xdist_group("tensorflow-release"),
    pytest.mark.filterwarnings("ignore"),
]  # matplotlib's own deprecations

PROTOCOLS = [
    {"protocol": "fault_filtered", "network": "A", "accuracy": 0.7, "deviation": 0.01, "runs": [0.7]},
    {"protocol": "random_folds", "network": "A", "accuracy": 0.9, "deviation": 0.01, "runs": [0.9]},
]


PROVENANCE = {
    "commit": None, "taught_sha256": "0123456789ab", "cache_index_sha256": "ba9876543210", "seed": 0,
    "recipe": {"probe": 1000, "runs": 2, "steps": 1600}, "mixture": {"batch": 8}, "taught_by_musicnn": True,
}  # fmt: skip


def measured(seed: int, windows: int, right: float = 3.0) -> Predictions:
    """Eighteen tracks, two a genre but metal, of ``windows`` each; the true genre's logit is higher."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.array([g for g in range(10) if LABELS[g] != "metal"]), 2)
    track = np.repeat(np.arange(len(labels)), windows)
    logits = random.normal(0, 1, (len(track), 11))
    logits[np.arange(len(track)), labels[track]] += right
    logits[:, -1] = 2.0
    return Predictions(logits, EvalSet(np.zeros((len(track), 1, 1), np.uint8), track, labels))


@pytest.fixture(scope="module")
def report() -> Report:
    valid = {"fine": measured(0, 1), "coarse": measured(1, 3)}
    history = [
        {"step": step, "loss": 3.0 / step, "best": step == 20}
        | {f"{form} {what}": 1.0 / step for form in valid for what in ("first", "track", "nll")}
        for step in (10, 20)
    ]
    return Report(
        "coarse", history, valid, {"fine": measured(2, 1), "coarse": measured(3, 3)},
        {"fine": measured(2, 1), "coarse": measured(4, 3)}, calibrate(valid, "coarse"),
        {"tracks": 9, "macro_recall": 0.5, "recall": {"blues": 0.5}},
        {"speech pyAudioAnalysis": {"clips": 4, "share": 0.125, "share_as_recorded": 0.25}},
        {"gtzan_arrays": 18, "gtzan_audio": 3, "heard_by_musicnn": 4,
         "recordings": {"blues": 2, "rock": 7}},
        {"this model, int8": 2.5, "this model, float32": 7.25}, {"this model, int8": 3_000_000,
        "this model, float32": 11_000_000}, PROVENANCE,
    )  # fmt: skip


def manifest(folder: Path, report: Report, **changes: Any) -> ModelManifest:
    ends = TensorQuantization("int8", 1.0, -128)
    content = str(sorted(changes)).encode()
    (folder / "genre.tflite").write_bytes(content)
    metrics = changes["metrics"] if "metrics" in changes else report.metrics(PROTOCOLS)
    made = ModelManifest(
        "overheard-genre", "2", "genre.tflite", hashlib.sha256(content).hexdigest(), LABELS, COARSE,
        Quantization("int8", ends, ends), report.calibration, metrics, ("made up",), "MIT",
        folder / "genre.tflite", (FINE,),
    )  # fmt: skip
    return replace(made, **changes)


def test_metrics_are_plain_values_that_belong_together(report: Report) -> None:
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


def test_everything_is_calibrated_on_validation(report: Report) -> None:
    calibration = report.calibration
    assert calibration.fitted_on == "54 windows of 18 validation tracks of the fault-filtered split"
    assert calibration.music_above == 0.5  # all windows say 0.88; more than 0.5 is never asked for
    assert 0.1 < calibration.temperature < 0.9  # noise of 1 on a lead of 3: 1/3 would be exact


def test_the_threshold_is_fitted_where_windows_have_neighbours(report: Report) -> None:
    """The published fine arrays hold one window a track, which is no smoothed estimate."""
    fine, coarse = calibrate(report.valid, "fine"), calibrate(report.valid, "coarse")
    assert fine.fitted_on.startswith("18 windows")
    assert geometry_with_most_windows(report.valid, "fine") == "coarse"
    means, truth = report.valid["coarse"].smoothed(fine.temperature)
    assert fine.unsure_below == choose_confidence_threshold(means, truth)
    same = {"fine": report.valid["fine"], "coarse": report.valid["fine"]}
    assert [geometry_with_most_windows(same, form) for form in same] == ["fine", "coarse"]
    assert coarse.fitted_on.startswith("54 windows")


def test_the_card_says_what_was_measured(report: Report, tmp_path: Path) -> None:
    made = manifest(tmp_path, report)
    card = render_model_card(made)
    test = made.metrics["fault_filtered_test"]
    for words in (
        "leaking artists", "no copyright clearance", "- made up.", "| A | 0.700 ± 0.010 |",
        f"| accuracy, first window, int8 | {test['fine']['accuracy_int8']:.3f} "
        f"| {test['coarse']['accuracy_int8']:.3f} |",
        "| speech pyAudioAnalysis | 4 | 0.125 | 0.250 |", "macro recall is 0.500 (blues 0.50)",
        "| metal |  |  |",
        "The geometry is the coarse one (`256` samples every `1334`)", "3.0 MB (11.0 MB in float32)",
        "18 were available as spectrograms and 3 as audio.", "rock 7, blues 2",
        "| this model, int8 | 2.50 | 3.0 |", "| this model, float32 | 7.25 | 11.0 |",
        "commit unknown (no checkout), distilled weights `0123456789ab`, cache index `ba9876543210`",
        "the head was fitted to 1,000 batches of 8 windows, then fine-tuned in 2 runs of 1,600",
    ):  # fmt: skip
        assert words in card
    assert "{" not in card
    f1 = {genre: value for genre, value in test["coarse"]["f1_int8"].items() if value is not None}
    low, second = sorted(f1, key=lambda genre: (f1[genre], genre))[:2]
    assert f"{low} (F1 {f1[low]:.2f}) and {second} ({f1[second]:.2f}) are the weakest" in card
    valid, t = report.valid["coarse"], report.calibration.temperature
    means, truth = valid.smoothed(t)
    own = valid.probabilities(t)[valid.eval_set.track == 0]
    assert means[0] == pytest.approx(own[:3].mean(axis=0))
    sure = means.max(axis=1) >= report.calibration.unsure_below
    right = means.argmax(axis=1) == truth
    share = f"{right[sure].mean():.0%}"
    assert f"neighboring windows in the\ncoarse geometry reach it, and {share} of those are right" in card
    assert "distilled without labels" in card
    assert "musicnn's embeddings of 4 of the recordings" in card
    other = {
        "data": report.data | {"heard_by_musicnn": 0},
        "provenance": PROVENANCE | {"taught_by_musicnn": False},
    }
    assert "musicnn" not in render_model_card(replace(made, metrics=made.metrics | other))
    unmeasured = replace(made, metrics=made.metrics | {"protocols": []})
    assert "Not measured; pass" in render_model_card(unmeasured)
    bare = replace(made, metrics=made.metrics | {"other_peoples_music": {}, "not_music": {}})
    assert render_model_card(bare).count("Not measured: the cache has none.") == 2


def test_the_plots_are_a_picture(report: Report, tmp_path: Path) -> None:
    from matplotlib.image import imread

    draw_plots(report, tmp_path / "a.png")
    latencies = [{"name": "ours", "ms": 4.0, "accuracy": 0.7}]
    draw_plots(report, tmp_path / "b.png", latencies)
    without, with_speed = (imread(tmp_path / name) for name in ("a.png", "b.png"))
    assert without.shape == with_speed.shape == (880, 960, 4)
    assert np.ptp(without[..., :3]) > 0.9
    assert np.abs(without[440:, 480:] - with_speed[440:, 480:]).max() > 0.5  # accuracy against latency


def test_two_models_side_by_side(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tmp_path / name for name in ("old", "new")]
    changes: list[dict[str, Any]] = [
        {"audio": FINE, "metrics": {"accuracy": 0.5, "only_here": 3}},
        {"calibration": Calibration(2.0, 0.25, "nothing", 0.3), "metrics": {"accuracy": 0.75}},
    ]
    for folder, change in zip(folders, changes, strict=True):
        folder.mkdir()
        manifest(folder, report, **change).save(folder / "genre.json")
    one, other = (folder / "genre.json" for folder in folders)
    assert command(["compare", str(one), str(other)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"| | {one} | {other} | difference |"
    assert "| accuracy | 0.5 | 0.75 | +0.25 |" in lines
    assert "| only_here | 3 |  |  |" in lines
    assert "| geometry | 2048/1920 | 256/1334 |  |" in lines
    assert next(line for line in lines if line.startswith("| music threshold | 0.5 | 0.3 | -0.2"))
    assert (
        next(line for line in lines if line.startswith("| confidence threshold ")).split(" | ")[2] == "0.25"
    )


def test_a_model_of_two_forms_lines_up_with_one_of_one_form(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first model that shipped names no form: its accuracy stood beside an empty field."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = (tmp_path / name / "genre.json" for name in ("old", "new"))
    manifest(old.parent, report, metrics={"fault_filtered_test": {"accuracy_int8": 0.5}}).save(old)
    made = manifest(new.parent, report)
    made.save(new)
    assert command(["compare", str(old), str(new)]) == 0
    lines = capsys.readouterr().out.splitlines()
    main = made.metrics["fault_filtered_test"]["coarse"]["accuracy_int8"]
    start = f"| fault_filtered_test, accuracy_int8 | 0.5 | {main:.4g} | "
    assert len([line for line in lines if line.startswith(start)]) == 1
    assert any(line.startswith("| fault_filtered_test, fine, accuracy_int8 |  | ") for line in lines)
    assert not any("test, coarse," in line for line in lines)


@pytest.mark.parametrize("spec", [FINE, COARSE])
def test_one_band_leaves_nothing_above_it_and_everything_below(spec: Any) -> None:
    columns = np.random.default_rng(0).integers(20, 200, (spec.columns, 256)).astype(np.uint8)
    result = limit_bandwidth(columns, spec)
    top_hz = band_edges(spec)[1:] * spec.sample_rate / 2
    kept = top_hz <= SHARED_BANDWIDTH_HZ
    assert np.array_equal(result[:, kept], columns[:, kept])
    assert (result[:, ~kept] == columns.min()).all()
    assert 100 < kept.sum() < 250
    assert columns[:, ~kept].max() > 190  # the argument itself is left alone


def test_models_of_other_genres_or_none_are_one_sentence(report: Report, tmp_path: Path) -> None:
    for name, labels in (("ten", LABELS), ("two", LABELS[:2])):
        (tmp_path / name).mkdir()
        manifest(tmp_path / name, report, labels=labels, metrics={}).save(tmp_path / name / "genre.json")
    ten, two = (str(tmp_path / name / "genre.json") for name in ("ten", "two"))
    with pytest.raises(OverheardError, match="only models of the same genres can be compared"):
        command(["compare", ten, two])
    with pytest.raises(OverheardError, match="cannot read the model manifest"):
        command(["compare", ten, str(tmp_path / "none.json")])
    (tmp_path / "ten" / "genre.tflite").write_bytes(b"another")
    with pytest.raises(OverheardError, match="the file is damaged or was replaced"):
        command(["compare", ten, ten])
