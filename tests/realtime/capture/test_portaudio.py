"""Device lists of PortAudio on macOS and Windows."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.capture.device import Device, find_device
from realtime.capture.portaudio import find_loopback, parse_devices
from realtime.errors import SourceError


def listed(*rows: tuple[str, int, float, int]) -> list[dict[str, Any]]:
    """Result of ``sounddevice.query_devices()``: names, input channels, rates and host APIs."""
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
"""Device tables in the format of macOS and Windows. They were not recorded on such a machine."""


def test_devices_of_a_mac() -> None:
    found = parse_devices(MAC, 1)
    assert [device.name for device in found] == ["MacBook Pro Microphone", "BlackHole 2ch"]
    assert find_device(found, "", "microphone").name == "MacBook Pro Microphone"
    assert find_loopback(found) == Device("BlackHole 2ch", 44_100, 2, index=3)


def test_a_microphone_of_windows_is_found_again_by_its_name() -> None:
    """Windows lists a microphone once for each audio interface. Its name must still select one device."""
    found = parse_devices(WINDOWS, 1)
    name = find_device(found, "", "microphone").name
    assert name == "Microphone (USB Audio)"
    assert find_device(found, name, "microphone").index == find_device(found, "usb", "microphone").index == 1


def test_on_a_mac_the_error_names_the_loopback_driver_to_install() -> None:
    inputs = [Device("MacBook Pro Microphone", 48_000, 1, is_default=True)]
    with pytest.raises(SourceError, match="install the loopback driver BlackHole"):
        find_loopback(inputs)
    assert find_loopback([*inputs, Device("BlackHole 2ch", 48_000, 2, index=3)]).index == 3
