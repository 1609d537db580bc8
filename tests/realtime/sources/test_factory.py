"""Sources opened by their description, and the names of available sources."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from realtime.audio.source import AudioSource
from realtime.capture import LiveSource, platform
from realtime.capture.live_source import Stop
from realtime.clock import Clock, SystemClock
from realtime.config import SourceSettings
from realtime.errors import SourceError
from realtime.sources.factory import SourceOption, available_sources, open_option, open_source
from tests.support.audio import write
from tests.support.audio_source_contract import RATE, SOUND
from tests.support.clock import VirtualClock


@pytest.mark.parametrize("description", ["", "  "])
def test_an_empty_description_is_explained(description: str) -> None:
    with pytest.raises(SourceError, match="the source is empty; name auto"):
        open_source(description, 1.0, VirtualClock())


def test_open_source_takes_a_path_literally(tmp_path: Path) -> None:
    path = write(tmp_path / "mic.wav", SOUND, RATE)
    assert open_source(str(path), 0.0, VirtualClock()).name == "mic.wav"


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("system", "system"), ("mic:USB, front", "mic:USB, front"), ("demo", "demo"), ("auto", "auto"),
        ("/home/someone/music/song.flac", "song.flac"), ("../song.flac", "song.flac"), ("mic:", "mic:"),
        ("https://me:secret@radio.example/live.mp3?key=secret", "https://radio.example/live.mp3"),
        ("a\udcff.mp3", "a?.mp3"), ("x" * 300, "x" * 119 + "…"),
    ],
)  # fmt: skip
def test_names_of_available_sources_show_no_folders_and_no_secrets(description: str, name: str) -> None:
    assert available_sources([description, description]) == (SourceOption(name, description),)


def test_an_invalid_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match="the network address is not valid") as refusal:
        available_sources(["http://me:secret@[half/x"])
    assert "secret" not in str(refusal.value)


class Devices:
    """Fake devices whose captures end after one block, instead of those of this machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
        self.opened: list[tuple[str, str]] = []
        self._absent = absent
        monkeypatch.setattr(platform, "has_sound_server", lambda: True)
        for kind, function in (("mic", "open_microphone"), ("system", "open_system")):
            monkeypatch.setattr(platform, function, partial(self._open, kind))

    def _open(self, kind: str, name: str, clock: Clock, **options: object) -> LiveSource:
        if kind in self._absent:
            raise SourceError(f"there is no {kind}")
        self.opened.append((kind, name))

        def start(source: LiveSource) -> Stop:
            source.deliver(SOUND[:100])
            source.fail("unplugged")
            return lambda: None

        return LiveSource(kind, RATE, start, clock, device=f"{name or 'the default'} in full")


def read_until_reopened(source: AudioSource) -> None:
    """Read until the source has been opened a second time."""
    with closing(source):
        for _ in source.blocks():
            if source.status().reconnects:
                return


@pytest.mark.parametrize(
    ("description", "follow", "names"),
    [
        ("mic", False, ["", "the default in full"]),
        ("system", False, ["", "the default in full"]),
        ("mic", True, ["", ""]),
        ("mic:usb", True, ["usb", "usb in full"]),
    ],
)
def test_a_lost_device_is_opened_again_unless_the_default_is_followed(
    description: str, follow: bool, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = Devices(monkeypatch)
    read_until_reopened(open_source(description, 1.0, SystemClock(), follow_default=follow))
    assert [name for _, name in devices.opened] == names


@pytest.mark.parametrize(
    ("absent", "selected", "name"),
    [
        ((), "system", "system"),
        (("system",), "mic", "mic"),
        (("system", "mic"), "demo", "demonstration"),
    ],
)
def test_auto_is_system_audio_else_a_microphone_else_the_demonstration(
    absent: tuple[str, ...],
    selected: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    Devices(monkeypatch, *absent)
    option, source = open_option(SourceOption("auto", "auto"), SourceSettings(), VirtualClock())
    assert (option, source.name) == (SourceOption(selected, selected), name)
    assert [f"there is no {kind}" in caplog.text for kind in absent] == [True] * len(absent)
    source.close()
    assert open_source("auto", 1.0, VirtualClock()).name == name
