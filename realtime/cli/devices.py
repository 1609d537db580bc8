"""``overheard devices``: list the audio devices, and the device that ``auto`` selects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from models.common.cli import ArgumentParser
from models.common.text import escape_control, format_count
from realtime.capture.device import Device, find_device
from realtime.capture.pactl import SoundServerHangsError
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
    outputs = _list("Outputs that `system` can listen to", list_outputs)
    if isinstance(outputs, SoundServerHangsError):
        microphones = _list("Microphones", lambda: _raise(outputs))  # another request would wait for as long
    else:
        microphones = _list("Microphones", list_microphones)
    try:
        if isinstance(outputs, SourceError):
            raise outputs
        print(escape_control(f"`auto` selects system audio: {find_system_device().name}"))
    except SourceError as no_system:
        try:
            if isinstance(microphones, SourceError):
                raise microphones from None
            name = find_device(microphones, "", "microphone").name
            print(escape_control(f"`auto` selects a microphone: {name} (no system audio: {no_system})"))
        except SourceError as no_microphone:
            reasons = dict.fromkeys((str(no_system), str(no_microphone)))
            shown = escape_control("; ".join(reasons))
            print(f"`auto` selects the bundled demonstration ({shown})")
    return 0


def _list(title: str, list_devices: Callable[[], list[Device]]) -> list[Device] | SourceError:
    """Print the devices. Return them, or the reason why there are none."""
    print(f"{title}:", flush=True)
    try:
        devices = list_devices()
    except SourceError as error:
        print(escape_control(f"  none: {error}"))
        return error
    for device in devices:
        mark = "*" if device.is_default else " "
        form = f"{device.sample_rate} Hz, {format_count(device.channels, 'channel')}"
        if device.unmute_command:
            form += f"; muted, unmute it with: {device.unmute_command}"
        print(escape_control(f"  {mark} {device.name}  ({form})"))
    if not devices:
        print("  none")
    return devices


def _raise(error: SourceError) -> NoReturn:
    raise error
