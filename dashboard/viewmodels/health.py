"""What the page says of the analyzer's health, and the report of a bug. Values in, values out."""

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
LOSSES: Final = ("gaps", "samples_lost", "windows_skipped", "overflows", "dropped_blocks", "reconnects")
PLOT: Final = "MODEL_CARD.png"


def health_rows(health: HealthMessage, words: Translator) -> dict[str, str]:
    """The readings of a health message, by their names on the page."""
    latency = health.latency_ms
    shown = {
        "p50": f"{latency.p50:.0f} ms",
        "p95": f"{latency.p95:.0f} ms",
        "p99": f"{latency.p99:.0f} ms",
        "real_time_factor": words("health.times", factor=f"{health.real_time_factor:.0f}"),
        "windows": f"{health.windows:,}",
        "clients": f"{health.clients:,}",
    }
    if health.drift_ppm is not None:
        shown["drift"] = f"{health.drift_ppm:+.0f} ppm"
    return {words(f"health.{name}"): value for name, value in shown.items()}


def losses(health: HealthMessage, words: Translator) -> dict[str, int]:
    """All that was lost so far, by its name on the page; empty when nothing was."""
    return {words(f"health.{name}"): count for name in LOSSES if (count := getattr(health, name))}


def versions(snapshot: Snapshot) -> dict[str, str]:
    """Of what runs here, and of the model and runtime at the analyzer."""
    told = {"Python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            told[name] = "?"
    if snapshot.hello is not None:
        model = snapshot.hello.model
        told |= {"model": f"{model.name} {model.version}", "runtime": model.runtime}
    return told


def bug_report(snapshot: Snapshot, log: Sequence[str]) -> str:
    """What a developer needs to know, in English: no titles, no songs, no addresses."""
    lines = [f"{name}: {value}" for name, value in versions(snapshot).items()]
    lines += [f"connected: {snapshot.connected}", f"state: {snapshot.state.value}"]
    if snapshot.hello is not None:
        lines += [f"{name}: {value}" for name, value in snapshot.hello.settings.items()]
    if snapshot.health is not None:
        hidden = ("type", "version", "source", "device", "error")
        shown: dict[str, Any] = msgspec.to_builtins(snapshot.health)
        lines += [f"{name}: {rounded(value)}" for name, value in shown.items() if name not in hidden]
    return "\n".join([*lines, "", *log])


def rounded(value: Any) -> Any:
    """A reading, or readings by name, with one digit behind the point: more say nothing."""
    if isinstance(value, Mapping):
        return {name: rounded(each) for name, each in value.items()}
    return round(value, 1) if isinstance(value, float) else value


def limits(words: Translator) -> str:
    """How often the shipped model is right, in one paragraph; from its manifest."""
    metrics = ModelManifest.load().metrics
    test = metrics["fault_filtered_test"][metrics["main_form"]]
    names = {"right": "accuracy_int8", "answered": "answered_at_unsure_below", "sure": "accuracy_of_answered"}
    return words("health.limits", **{key: round(100 * test[name]) for key, name in names.items()})


def card_parts() -> tuple[str, bytes]:
    """The shipped model's card as Markdown without its picture, and the picture as PNG."""
    folder = files("models.artifacts")
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    kept = (line for line in text.splitlines() if f"({PLOT})" not in line)
    return "\n".join(kept).replace("hiphop", "hip hop"), (folder / PLOT).read_bytes()
