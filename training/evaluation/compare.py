"""Two manifests side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.manifest import ModelManifest


def compare_manifests(one: Path, other: Path) -> str:
    """Render what two models say of themselves as a table, a line for everything that differs or is measured.

    Parameters
    ----------
    one, other : Path
        Manifests; the models lie beside them.

    Returns
    -------
    str
        A Markdown table. Where both values are numbers the last column is their difference.

    Raises
    ------
    ModelError
        A manifest or a model file cannot be read, or they have different labels.
    """
    manifests = [ModelManifest.load(path) for path in (one, other)]
    if manifests[0].labels != manifests[1].labels:
        raise ModelError(
            f"{one} names {len(manifests[0].labels)} genres and {other} {len(manifests[1].labels)}, "
            "or other ones; only models of the same genres can be compared"
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
    yield "unsure below", manifest.calibration.unsure_below
    yield "music above", manifest.calibration.music_above
    for entry in manifest.metrics.get("protocols", []):
        yield f"{entry['protocol']}, {entry['network']}", entry["accuracy"]
    yield from _flatten(_main_first({k: v for k, v in manifest.metrics.items() if k != "protocols"}))


def _main_first(metrics: dict[str, Any]) -> dict[str, Any]:
    """The main form's test figures without its name: models of one form only name none."""
    main, test = metrics.get("main_form"), metrics.get("fault_filtered_test", {})
    if not isinstance(test, dict) or not isinstance(test.get(main), dict):
        return metrics
    others = {form: figures for form, figures in test.items() if form != main}
    return metrics | {"fault_filtered_test": test[main] | others}


def _flatten(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{before}{name}, ")
        elif not isinstance(value, list):
            yield f"{before}{name}", value


def _format_value(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
