"""``overheard devices``: what can be listened to, and what ``auto`` would take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from models.options import OptionParser
from realtime.capture import portaudio, pulseaudio
from realtime.capture.device import Device, find_device
from realtime.capture.platform import has_sound_server
from realtime.capture.wasapi import list_speakers
from realtime.errors import SourceError


def _microphones() -> list[Device]:
    return pulseaudio.inputs() if has_sound_server() else portaudio.microphones()


def _outputs() -> list[Device]:
    if sys.platform == "linux":
        return [*pulseaudio.monitors(), *pulseaudio.applications()]
    if sys.platform == "darwin":
        return [portaudio.choose_loopback(portaudio.microphones())]
    return list_speakers()


def _system_device() -> Device:
    """What ``auto`` takes of the outputs."""
    if sys.platform == "linux":
        return pulseaudio.choose_output("", auto=True)
    return find_device(_outputs(), "", "output")


def command(arguments: Sequence[str]) -> int:
    """``overheard devices``: what can be listened to, and what ``auto`` would take."""
    OptionParser(
        prog="overheard devices", description="List what can be listened to, and what `auto` would take."
    ).parse_args(arguments)
    _print_devices("Outputs that `system` can listen to", _outputs)
    _print_devices("Microphones", _microphones)
    try:
        print(f"`auto` takes system audio: {_system_device().name}")
    except SourceError as no_system:
        try:
            chosen = find_device(_microphones(), "", "microphone").name
            print(f"`auto` takes a microphone: {chosen} (no system audio: {no_system})")
        except SourceError as no_microphone:
            print(f"`auto` takes the bundled demonstration ({no_system}; {no_microphone})")
    return 0


def _print_devices(title: str, find: Callable[[], list[Device]]) -> None:
    print(f"{title}:")
    try:
        found = find()
    except SourceError as error:
        print(f"  none: {error}")
        return
    for device in found:
        mark = "*" if device.is_default else " "
        print(f"  {mark} {device.name}  ({device.sample_rate} Hz, {device.channels} channels)")
    if not found:
        print("  none")
