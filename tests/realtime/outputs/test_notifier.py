"""Detection of genre changes, names of topics and the log of outages, on values."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

import pytest

from realtime.clock import SystemClock
from realtime.config import OutputSettings
from realtime.outputs.mqtt import format_topic_level
from realtime.outputs.notifier import WARNING_SECONDS, ChangeDetector, GenreNotifier, OutageLog
from realtime.protocol.messages import Message, encode
from tests.support.clock import VirtualClock
from tests.support.histories import estimate, health, state
from tests.support.paths import ROOT


def changes(*given: Message) -> list[tuple[object, ...]]:
    changes = ChangeDetector()
    found = [
        json.loads(encode(change)) for message in given if (change := changes.detect(message)) is not None
    ]
    assert all(
        list(each) == ["type", "source", "genre", "previous", "confidence", "state", "at"] for each in found
    )
    return [tuple(each.values())[:1] + tuple(each.values())[2:6] for each in found]


def test_a_genre_is_sent_once_and_a_change_has_the_previous_genre() -> None:
    assert changes(
        state(0, "WARMING_UP"), estimate(5), state(5, "LISTENING"), estimate(5.5), health(6),
        estimate(6, "rock", confidence=0.61239), estimate(6.5, "rock"),
    ) == [
        ("state", None, None, None, "WARMING_UP"),
        ("genre", "jazz", None, 0.8, "LISTENING"),
        ("genre", "rock", "jazz", 0.6124, "LISTENING"),
    ]  # fmt: skip


def test_states_are_sent_and_an_unsure_estimate_changes_no_genre() -> None:
    assert changes(
        estimate(5), estimate(5.5, "rock", "UNSURE"), state(5.5, "UNSURE"), estimate(6, "rock", "SILENT"),
        estimate(6.5), estimate(7, "rock", "NOT_MUSIC"), estimate(7.5, "rock"), state(8, "STALLED"),
    ) == [
        ("genre", "jazz", None, 0.8, "LISTENING"),
        ("state", None, "jazz", None, "UNSURE"),
        ("state", None, "jazz", None, "SILENT"),
        ("state", "jazz", "jazz", 0.8, "LISTENING"),
        ("state", None, "jazz", None, "NOT_MUSIC"),
        ("genre", "rock", "jazz", 0.8, "LISTENING"),
        ("state", None, "rock", None, "STALLED"),
    ]  # fmt: skip


def test_sources_are_independent() -> None:
    found = changes(estimate(5, source="a"), estimate(5, source="b"), estimate(6, "rock", source="a"))
    assert [each[1:3] for each in found] == [("jazz", None), ("jazz", None), ("rock", "jazz")]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Kitchen Radio (USB)", "kitchen-radio-usb"),
        ("https://a.example/x?y#z+", "https-a-example-x-y-z"),
        ("Küche", "kuche"),
        ("放送", "source"),
        ("Status", "source-status"),
    ],
)
def test_a_source_is_one_level_of_a_topic(name: str, level: str) -> None:
    assert format_topic_level(name) == level


def test_an_outage_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock()
    outages = OutageLog("the webhook", clock)
    for _ in range(20):
        outages.report("refused", 0)
    outages.report("", 2)
    for _ in range(20):  # an outage that comes and goes
        clock.now += 1
        outages.report("refused", 2)
        outages.report("", 3)
    assert caplog.messages == [
        "cannot send genre changes to the webhook: refused",
        "genre changes reach the webhook again; dropped messages: 2",
    ]
    clock.now += WARNING_SECONDS
    outages.report("timed out", 3)
    assert caplog.messages[2:] == ["cannot send genre changes to the webhook: timed out"]


def test_without_settings_nothing_is_started() -> None:
    before = threading.enumerate()
    outputs = GenreNotifier(OutputSettings(), SystemClock())
    outputs.consume(estimate(5))
    assert threading.enumerate() == before
    outputs.close()
    script = "import sys, realtime.outputs.notifier; print([name for name in sys.modules if 'paho' in name])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "[]\n"
