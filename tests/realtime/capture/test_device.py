"""Choice of a device by its name."""

from __future__ import annotations

import pytest

from realtime.capture.device import Device, find_device
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
    with pytest.raises(SourceError, match=r"there is no default microphone; name one of 'USB Audio.*Camera'"):
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
    with pytest.raises(SourceError, match="this machine has no microphone"):
        find_device([], "", "microphone")
