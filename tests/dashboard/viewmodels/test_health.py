"""Health figures on the page and in a bug report."""

from __future__ import annotations

import dataclasses

from msgspec.structs import replace

from dashboard.analyzer.snapshot import Snapshot
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator
from dashboard.viewmodels.health import (
    bug_report,
    health_rows,
    limits_text,
    load_model_card,
    loss_counts,
    versions,
)
from models.manifest import ModelManifest
from realtime.protocol.builders import health_message, hello_message
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from tests.support.classifier import manifest

PIPELINE = PipelineHealth(10, 0, 0, 1234, 0, 0, 41.70000000000001, Percentiles(17.4, 30, 61))
HEALTH = health_message("secret name", 0.0, PIPELINE, SourceStatus("Secret Device", drift_ppm=-12.3), 2)
MODEL = dataclasses.replace(manifest(), name="a", version="7")
HELLO = replace(
    hello_message("secret name", 0.0, MODEL, "litert 2", {"hold_seconds": 1.5}), title="Secret Song"
)
SNAPSHOT = Snapshot(
    True, StreamState.LISTENING, 3, "secret name", "Secret Song", "Secret", "Song", HELLO, None, HEALTH
)


def test_figures_are_formatted_in_every_language() -> None:
    for language in LANGUAGES:
        translator = Translator(language)
        assert list(health_rows(HEALTH, translator).values()) == [
            "17 ms", "30 ms", "61 ms", translator("health.times", factor=42), "1,234", "2", "-12 ppm",
        ]  # fmt: skip


def test_only_losses_are_reported() -> None:
    assert loss_counts(HEALTH, Translator("en")) == {}
    assert loss_counts(replace(HEALTH, gaps=2, samples_lost=500), Translator("en")) == {
        "Gaps": 2,
        "Samples lost": 500,
    }


def test_a_report_has_versions_figures_and_the_log_but_nothing_about_the_music() -> None:
    report = bug_report(SNAPSHOT, ["12:00:00 WARNING a line"])
    assert "model: a 7" in report
    assert "hold_seconds: 1.5" in report
    assert "windows: 1234" in report
    assert "real_time_factor: 41.7" in report, "figures must be rounded"
    assert "'p50': 17.4" in report
    assert report.endswith("12:00:00 WARNING a line")
    assert "ecret" not in report


def test_a_bug_report_works_without_an_analyzer() -> None:
    assert "connected: False" in bug_report(Snapshot(), [])
    assert "model" not in versions(dataclasses.replace(SNAPSHOT, hello=None))


def test_the_limits_are_the_shipped_models() -> None:
    test = ModelManifest.load().metrics["fault_filtered_test"]["fine"]
    for language in LANGUAGES:
        assert f"{100 * test['accuracy_int8']:.0f}" in limits_text(Translator(language))


def test_the_card_is_that_of_the_shipped_model() -> None:
    text, plot = load_model_card()
    manifest = ModelManifest.load()
    assert f"{manifest.name} {manifest.version}" in text
    assert "MODEL_CARD.png" not in text
    assert "hip hop" in text
    assert "hiphop" not in text
    assert plot.startswith(b"\x89PNG")
