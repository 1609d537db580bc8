"""Data of the health page, and the bug report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, Final

import msgspec

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.translator import Translator
from models.manifest import ModelManifest
from realtime.protocol.messages import HealthMessage

PACKAGES: Final = ("overheard", "streamlit", "websockets", "numpy", "spotipy")
LOSS_FIELDS: Final = ("gaps", "samples_lost", "windows_skipped", "overflows", "dropped_blocks", "reconnects")
"""Fields of a health message that count losses, in the order of the page."""
PLOT: Final = "MODEL_CARD.png"
"""File of the plot in the model card."""


def health_rows(health: HealthMessage, translator: Translator) -> dict[str, str]:
    """Format the readings of a health message. The keys are their names on the page."""
    latency = health.latency_ms
    readings = {
        "p50": f"{latency.p50:.0f} ms",
        "p95": f"{latency.p95:.0f} ms",
        "p99": f"{latency.p99:.0f} ms",
        "real_time_factor": translator("health.times", factor=f"{health.real_time_factor:.0f}"),
        "windows": f"{health.windows:,}",
        "clients": f"{health.clients:,}",
    }
    if health.drift_ppm is not None:
        readings["drift"] = f"{health.drift_ppm:+.0f} ppm"
    return {translator(f"health.{name}"): value for name, value in readings.items()}


def loss_counts(health: HealthMessage, translator: Translator) -> dict[str, int]:
    """Return the counts of losses above zero. The keys are their names on the page."""
    return {translator(f"health.{name}"): count for name in LOSS_FIELDS if (count := getattr(health, name))}


def versions(snapshot: Snapshot) -> dict[str, str]:
    """Return the versions of this machine's software, and of the analyzer's model and runtime."""
    found = {"Python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    if snapshot.hello is not None:
        model = snapshot.hello.model
        found |= {"model": f"{model.name} {model.version}", "runtime": model.runtime}
    return found


def bug_report(snapshot: Snapshot, log: Sequence[str]) -> str:
    """Format a bug report in English. It holds no titles, songs and addresses, except in the log lines."""
    lines = [f"{name}: {value}" for name, value in versions(snapshot).items()]
    lines += [f"connected: {snapshot.connected}", f"state: {snapshot.state.value}"]
    if snapshot.hello is not None:
        lines += [f"{name}: {value}" for name, value in snapshot.hello.settings.items()]
    if snapshot.health is not None:
        hidden = ("type", "version", "source", "device", "error")
        readings: dict[str, Any] = msgspec.to_builtins(snapshot.health)
        lines += [
            f"{name}: {round_readings(value)}" for name, value in readings.items() if name not in hidden
        ]
    return "\n".join([*lines, "", *log])


def round_readings(value: Any) -> Any:
    """Round a number, or all numbers of a mapping, to one decimal."""
    if isinstance(value, Mapping):
        return {name: round_readings(each) for name, each in value.items()}
    return round(value, 1) if isinstance(value, float) else value


def limits_text(translator: Translator) -> str:
    """Describe the accuracy of the shipped model in one paragraph, with the figures of its manifest."""
    metrics = ModelManifest.load().metrics
    test = metrics["fault_filtered_test"][metrics["tested_form"]]
    names = {"right": "accuracy_int8", "answered": "answered_at_unsure_below", "sure": "accuracy_of_answered"}
    return translator("health.limits", **{key: round(100 * test[name]) for key, name in names.items()})


def load_model_card() -> tuple[str, bytes]:
    """Return the shipped model's card as Markdown without its image, and the image as PNG."""
    folder = files("models.artifacts")
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if f"({PLOT})" not in line)
    return "\n".join(lines).replace("hiphop", "hip hop"), (folder / PLOT).read_bytes()
