from __future__ import annotations

import sys
from typing import Any

import pytest

from realtime.capture import pulseaudio
from realtime.capture.device import Device, find_device
from realtime.capture.portaudio import choose_loopback, parse_devices
from realtime.capture.pulseaudio import parse_applications, parse_sources
from realtime.errors import SourceError

DEVICES = [
    Device("USB Audio: Mic (hw:1,0)", 48_000, 1, index=4),
    Device("USB Camera", 16_000, 2, index=5),
    Device("default", 44_100, 32, is_default=True, index=7),
]


def test_the_default_is_taken_for_no_name() -> None:
    assert find_device(DEVICES, "", "microphone").name == "default"
    assert find_device(DEVICES[:1], "", "microphone").name == "USB Audio: Mic (hw:1,0)"


def test_of_several_without_a_default_none_is_taken_unasked() -> None:
    with pytest.raises(SourceError, match=r"no microphone is the default; name one of 'USB Audio.*Camera'"):
        find_device(DEVICES[:2], "", "microphone")


def test_part_of_a_name_in_any_case_is_enough() -> None:
    assert find_device(DEVICES, "camera", "microphone").index == 5


def test_a_whole_name_wins_over_a_part() -> None:
    both = [Device("mic", 1, 1, index=1), Device("mic 2", 1, 1, index=2)]
    assert find_device(both, "mic", "microphone").index == 1


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(SourceError, match=r"more than one microphone matches 'usb'; .*Mic.*Camera"):
        find_device(DEVICES, "usb", "microphone")


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(SourceError, match=r"no microphone matches 'tape'; there are .*Mic.*Camera.*default"):
        find_device(DEVICES, "tape", "microphone")


def test_no_device_at_all() -> None:
    with pytest.raises(SourceError, match="there is no microphone here"):
        find_device([], "", "microphone")


SOURCES = """\
0\talsa_output.pci-0000.analog-stereo.monitor\tmodule-alsa-card.c\ts16le 2ch 44100Hz\tSUSPENDED
1\talsa_input.pci-0000.analog-stereo\tmodule-alsa-card.c\ts16le 2ch 44100Hz\tSUSPENDED
47\tbluez_output.AC_12.1.monitor\tPipeWire\tfloat32le 2ch 48000Hz\tRUNNING
"""


def test_monitors_of_pulseaudio_and_pipewire() -> None:
    info = "Server Name: PulseAudio (on PipeWire 0.3.65)\nDefault Sink: bluez_output.AC_12.1\n"
    assert parse_sources(SOURCES, info, monitors=True) == [
        Device("alsa_output.pci-0000.analog-stereo.monitor", 44_100, 2, index=0),
        Device("bluez_output.AC_12.1.monitor", 48_000, 2, is_default=True, index=47),
    ]
    assert not any(device.is_default for device in parse_sources(SOURCES, "", monitors=True))


def test_a_mac_is_told_which_loopback_to_install() -> None:
    inputs = [Device("MacBook Pro Microphone", 48_000, 1, is_default=True)]
    with pytest.raises(SourceError, match="install the loopback driver BlackHole"):
        choose_loopback(inputs)
    assert choose_loopback([*inputs, Device("BlackHole 2ch", 48_000, 2, index=3)]).index == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_without_a_sound_server_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    with pytest.raises(SourceError, match="no PulseAudio or PipeWire server answers"):
        pulseaudio.monitors()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_without_pactl_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match="apt install pulseaudio-utils"):
        pulseaudio.monitors()


def listed(*rows: tuple[str, int, float, int]) -> list[dict[str, Any]]:
    """What ``sounddevice.query_devices()`` gives: names, input channels, rates, host APIs."""
    keys = ("name", "max_input_channels", "default_samplerate", "hostapi")
    return [dict(zip(keys, row, strict=True)) | {"index": number} for number, row in enumerate(rows)]


MAC = listed(
    ("LG UltraFine", 0, 48_000.0, 0), ("MacBook Pro Microphone", 1, 48_000.0, 0),
    ("MacBook Pro Speakers", 0, 48_000.0, 0), ("BlackHole 2ch", 2, 44_100.0, 0),
    ("Multi-Output Device", 0, 44_100.0, 0),
)  # fmt: skip
WINDOWS = listed(
    ("Microsoft Sound Mapper - Input", 2, 44_100.0, 0), ("Microphone (USB Audio)", 2, 44_100.0, 0),
    ("Speakers (Realtek(R) Audio)", 0, 44_100.0, 0), ("Primary Sound Capture Driver", 2, 44_100.0, 1),
    ("Microphone (USB Audio)", 2, 44_100.0, 1), ("Microphone (USB Audio)", 2, 48_000.0, 2),
)  # fmt: skip
"""Tables in the form of those systems; on the real thing this was not tried."""


def test_devices_of_a_mac() -> None:
    found = parse_devices(MAC, 1)
    assert [device.name for device in found] == ["MacBook Pro Microphone", "BlackHole 2ch"]
    assert find_device(found, "", "microphone").name == "MacBook Pro Microphone"
    assert choose_loopback(found) == Device("BlackHole 2ch", 44_100, 2, index=3)


def test_a_microphone_of_windows_is_found_again_by_its_name() -> None:
    """It stands there once for each interface; its name must not be ambiguous when it comes back."""
    found = parse_devices(WINDOWS, 1)
    name = find_device(found, "", "microphone").name
    assert name == "Microphone (USB Audio)"
    assert find_device(found, name, "microphone").index == find_device(found, "usb", "microphone").index == 1


APPLICATIONS = """\
Sink Input #7
\tDriver: protocol-native.c
\tSample Specification: float32le 2ch 44100Hz
\tProperties:
\t\tmedia.name = "Take Five"
\t\tapplication.name = "Firefox"
\t\tapplication.process.binary = "firefox-esr"

Sink Input #9
\tSample Specification: s16le 1ch 22050Hz
\tProperties:
\t\tapplication.process.binary = "mpv"

Sink Input #11
\tSample Specification: s16le 1ch 22050Hz
"""


def test_applications_that_play() -> None:
    assert parse_applications(APPLICATIONS) == [
        Device("application Firefox", 44_100, 2, index=7), Device("application mpv", 22_050, 1, index=9),
    ]  # fmt: skip
    assert parse_applications("") == []
