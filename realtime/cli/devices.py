"""``overheard devices``: list the audio devices, and the device that ``auto`` selects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.common.cli import ArgumentParser
from realtime.capture.device import Device, find_device
from realtime.capture.platform import find_system_device, list_microphones, list_outputs
from realtime.errors import SourceError


def build_parser() -> ArgumentParser:
    """Return the parser of the command line."""
    return ArgumentParser(
        prog="overheard devices",
        usage="%(prog)s",
        description="List the outputs and microphones that can be analyzed, and the source that `auto` "
        "selects. A star marks the system's default.",
        examples=[
            ("overheard devices", "list the names"),
            ("overheard run --source mic:USB", "listen to the microphone whose name contains USB"),
        ],
    )


def command(arguments: Sequence[str]) -> int:
    """List the devices."""
    build_parser().parse_args(arguments)
    _print_devices("Outputs that `system` can listen to", list_outputs)
    _print_devices("Microphones", list_microphones)
    try:
        print(f"`auto` selects system audio: {find_system_device().name}")
    except SourceError as no_system:
        try:
            name = find_device(list_microphones(), "", "microphone").name
            print(f"`auto` selects a microphone: {name} (no system audio: {no_system})")
        except SourceError as no_microphone:
            print(f"`auto` selects the bundled demonstration ({no_system}; {no_microphone})")
    return 0


def _print_devices(title: str, list_devices: Callable[[], list[Device]]) -> None:
    print(f"{title}:")
    try:
        devices = list_devices()
    except SourceError as error:
        print(f"  none: {error}")
        return
    for device in devices:
        mark = "*" if device.is_default else " "
        print(f"  {mark} {device.name}  ({device.sample_rate} Hz, {device.channels} channels)")
    if not devices:
        print("  none")
