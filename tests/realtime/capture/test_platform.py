"""Hints for platforms without system audio."""

from __future__ import annotations

import pytest

from realtime.capture.device import Device
from realtime.capture.portaudio import find_loopback
from realtime.errors import SourceError


def test_on_a_mac_the_error_names_the_loopback_driver_to_install() -> None:
    inputs = [Device("MacBook Pro Microphone", 48_000, 1, is_default=True)]
    with pytest.raises(SourceError, match="install the loopback driver BlackHole"):
        find_loopback(inputs)
    assert find_loopback([*inputs, Device("BlackHole 2ch", 48_000, 2, index=3)]).index == 3
