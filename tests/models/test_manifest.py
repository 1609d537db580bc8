"""Calibration and music threshold of a manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from models.manifest import FORMAT, SHIPPED, Calibration, ModelManifest


def write(path: Path, **calibration: Any) -> Path:
    """Write the shipped manifest with these calibration fields."""
    fields = json.loads((files("models") / "artifacts" / SHIPPED).read_text(encoding="utf-8"))
    plain = {name: fields["calibration"][name] for name in ("temperature", "unsure_below", "fitted_on")}
    fields["calibration"] = plain | calibration
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path


def test_a_manifest_without_the_field_loads_as_before(tmp_path: Path) -> None:
    assert FORMAT == 1
    assert ModelManifest.load(write(tmp_path / "old.json")).calibration.music_above is None


@pytest.mark.parametrize("music_above", [None, 0, 0.4, 1])
def test_music_above_is_kept(tmp_path: Path, music_above: float | None) -> None:
    loaded = ModelManifest.load(write(tmp_path / "one.json", music_above=music_above))
    assert loaded.calibration.music_above == music_above
    loaded.save(tmp_path / "two.json")
    again = ModelManifest.load(tmp_path / "two.json")
    assert again == replace(loaded, model_path=again.model_path)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (1.5, r"music_above is 1\.5; it must lie in 0\.\.1"),
        (-0.1, r"music_above is -0\.1; it must lie in 0\.\.1"),
        (float("nan"), r"music_above is nan; it must lie in 0\.\.1"),
        ("0.5", r"music_above is '0\.5'; it must be of type float"),
        (True, "music_above is True; it must be of type float"),
        ([0.5], r"music_above is \[0\.5\]; it must be of type float"),
    ],
)
def test_a_wrong_music_above_is_explained(tmp_path: Path, value: object, error: str) -> None:
    with pytest.raises(ModelError, match=error):
        ModelManifest.load(write(tmp_path / "wrong.json", music_above=value))


def test_other_numbers_may_not_be_none(tmp_path: Path) -> None:
    """Only ``music_above`` has a meaning for None."""
    with pytest.raises(ModelError, match="temperature is None; it must be of type float"):
        ModelManifest.load(write(tmp_path / "wrong.json", temperature=None))


def test_calibration_in_code_is_checked_too() -> None:
    with pytest.raises(ValueError, match="music_above is 2"):
        Calibration(1.0, 0.5, "nothing", music_above=2)
