"""Device and application lists, and mutes, of PulseAudio and PipeWire."""

from __future__ import annotations

import sys

import pytest

from realtime.capture import pactl
from realtime.capture.device import Device
from realtime.capture.pactl import parse_applications, parse_mutes, parse_sources
from realtime.errors import SourceError

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


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_without_a_sound_server_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    with pytest.raises(SourceError, match="no PulseAudio or PipeWire server answers"):
        pactl.list_sources(monitors=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_without_pactl_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match="apt install pulseaudio-utils"):
        pactl.list_sources(monitors=True)


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


DESCRIPTION = """\
Sink #{number}
	State: RUNNING
	Name: {name}
	Mute: {mute}
	Volume: front-left: 65536 / 100% / 0.00 dB
	Monitor Source: {name}.monitor
	Properties:
		device.description = "Mute: yes"
		media.name = "two lines
	Mute: {other}"

"""


def test_a_muted_output_silences_its_monitor_and_a_muted_source_itself() -> None:
    sinks = "".join(
        DESCRIPTION.format(number=number, name=name, mute=mute, other=other)
        for number, (name, mute, other) in enumerate(
            [("speakers", "yes", "no"), ("phones", "no", "yes"), ("living room", "yes", "yes")]
        )
    )
    sources = sinks.replace("Sink", "Source").replace("Monitor Source", "Monitor of Sink")
    expected = {
        "speakers.monitor": "pactl set-sink-mute speakers 0",
        "living room.monitor": "pactl set-sink-mute 'living room' 0",
    }
    assert parse_mutes("", sinks) == expected
    assert parse_mutes(sources, "") == {
        "speakers": "pactl set-source-mute speakers 0",
        "living room": "pactl set-source-mute 'living room' 0",
    }
    assert parse_mutes("", "") == {}


def test_a_muted_application_has_a_command_that_unmutes_it() -> None:
    muted = APPLICATIONS.replace("44100Hz", "44100Hz\n\tMute: yes").replace(
        "1ch 22050Hz", "1ch 22050Hz\n\tMute: no"
    )
    found = parse_applications(muted)
    assert [device.unmute_command for device in found] == ["pactl set-sink-input-mute 7 0", ""]
    assert [device.describe_mute() for device in found] == [
        "the device is muted; unmute it with: pactl set-sink-input-mute 7 0",
        "",
    ]
