"""Comparison of two models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.errors import OverheardError
from models.manifest import Calibration
from tests.support.reports import make_manifest, report
from training.cli import command
from training.data.geometries import FINE
from training.data.gtzan import LABELS
from training.evaluation.report import (
    Report,
)

__all__ = ["report"]  # fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]  # matplotlib's own deprecations


def test_two_models_side_by_side(report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tmp_path / name for name in ("old", "new")]
    changes: list[dict[str, Any]] = [
        {"audio": FINE, "metrics": {"accuracy": 0.5, "only_here": 3}},
        {"calibration": Calibration(2.0, 0.25, "nothing", 0.3), "metrics": {"accuracy": 0.75}},
    ]
    for folder, change in zip(folders, changes, strict=True):
        folder.mkdir()
        make_manifest(folder, report, **change).save(folder / "genre.json")
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


def test_a_model_of_two_geometries_lines_up_with_one_of_one(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first shipped model names no geometry: its accuracy once stood beside an empty field."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = (tmp_path / name / "genre.json" for name in ("old", "new"))
    make_manifest(old.parent, report, metrics={"fault_filtered_test": {"accuracy_int8": 0.5}}).save(old)
    made = make_manifest(new.parent, report)
    made.save(new)
    assert command(["compare", str(old), str(new)]) == 0
    lines = capsys.readouterr().out.splitlines()
    main = made.metrics["fault_filtered_test"]["coarse"]["accuracy_int8"]
    start = f"| fault_filtered_test, accuracy_int8 | 0.5 | {main:.4g} | "
    assert len([line for line in lines if line.startswith(start)]) == 1
    assert any(line.startswith("| fault_filtered_test, fine, accuracy_int8 |  | ") for line in lines)
    assert not any("test, coarse," in line for line in lines)


def test_models_of_other_genres_or_missing_ones_raise_one_sentence(report: Report, tmp_path: Path) -> None:
    for name, labels in (("ten", LABELS), ("two", LABELS[:2])):
        (tmp_path / name).mkdir()
        make_manifest(tmp_path / name, report, labels=labels, metrics={}).save(tmp_path / name / "genre.json")
    ten, two = (str(tmp_path / name / "genre.json") for name in ("ten", "two"))
    with pytest.raises(OverheardError, match="only models of the same genres can be compared"):
        command(["compare", ten, two])
    with pytest.raises(OverheardError, match="cannot read the model manifest"):
        command(["compare", ten, str(tmp_path / "none.json")])
    (tmp_path / "ten" / "genre.tflite").write_bytes(b"another")
    with pytest.raises(OverheardError, match="the file is damaged or was replaced"):
        command(["compare", ten, ten])
