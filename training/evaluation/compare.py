"""Comparison of two models by their manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.manifest import ModelManifest


def compare_manifests(one: Path, other: Path) -> str:
    """Format the values and metrics of two models as a table.

    Parameters
    ----------
    one, other : Path
        Manifests, with their models in the same folder.

    Returns
    -------
    str
        A Markdown table. The last column is the difference of numbers.

    Raises
    ------
    ModelError
        If a manifest or a model file cannot be read, or if the labels differ.
    """
    manifests = [ModelManifest.load(path) for path in (one, other)]
    if manifests[0].labels != manifests[1].labels:
        raise ModelError(
            f"{one} has {len(manifests[0].labels)} genres and {other} {len(manifests[1].labels)}, or others; "
            "only models of the same genres can be compared"
        )
    left, right = (dict(_comparable_values(manifest)) for manifest in manifests)
    lines = [f"| | {one} | {other} | difference |", "|---|---|---|---|"]
    for name in dict.fromkeys([*left, *right]):
        a, b = left.get(name), right.get(name)
        numbers = isinstance(a, int | float) and isinstance(b, int | float)
        difference = f"{b - a:+.4g}" if numbers else ""  # type: ignore[operator]
        lines.append(f"| {name} | {_format_value(a)} | {_format_value(b)} | {difference} |")
    return "\n".join(lines)


def _comparable_values(manifest: ModelManifest) -> Iterator[tuple[str, Any]]:
    yield "model", f"{manifest.name} {manifest.version}"
    yield "bytes", len(manifest.read_model())
    yield "window, s", round(manifest.audio.window_seconds, 3)
    yield "geometry", f"{manifest.audio.n_fft}/{manifest.audio.column_step}"
    yield "temperature", manifest.calibration.temperature
    yield "confidence threshold", manifest.calibration.unsure_below
    yield "music threshold", manifest.calibration.music_above
    for entry in manifest.metrics.get("protocols", []):
        yield f"{entry['protocol']}, {entry['network']}", entry["accuracy"]
    metrics = {name: value for name, value in manifest.metrics.items() if name != "protocols"}
    yield from _flatten(_unname_main_geometry(metrics))


def _unname_main_geometry(metrics: dict[str, Any]) -> dict[str, Any]:
    """Drop the main geometry's name from the test figures, as models of one geometry have no name there."""
    main, test = metrics.get("main_form"), metrics.get("fault_filtered_test", {})
    if not isinstance(test, dict) or not isinstance(test.get(main), dict):
        return metrics
    others = {geometry: figures for geometry, figures in test.items() if geometry != main}
    return metrics | {"fault_filtered_test": test[main] | others}


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}, ")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value


def _format_value(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
