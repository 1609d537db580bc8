"""Sound devices, and the search for a device by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.errors import SourceError


@dataclass(frozen=True, slots=True)
class Device:
    """Device or application whose audio can be captured.

    Attributes
    ----------
    name : str
    sample_rate : int
        Hz.
    channels : int
    is_default : bool
    index : int
        Number that the sound system uses at present. Another device may have this number later.
    unmute_command : str
        Command that unmutes the device. Empty if the device is not muted, or if that is not known.
    """

    name: str
    sample_rate: int
    channels: int
    is_default: bool = False
    index: int = -1
    unmute_command: str = ""

    def describe_mute(self) -> str:
        """Return a sentence with the remedy if the device is muted, or an empty text."""
        return f"the device is muted; unmute it with: {self.unmute_command}" if self.unmute_command else ""


def find_device(devices: Sequence[Device], wanted: str, kind: str) -> Device:
    """Find a device by its name or by a part of its name.

    Parameters
    ----------
    devices : sequence of Device
    wanted : str
        Exact name, or a part of a name regardless of case. An exact match is preferred. An empty text selects
        the default device, or the only device if there is no default.
    kind : str
        Kind of device, for messages.

    Raises
    ------
    SourceError
        If no device matches, or more than one. The message lists the candidates.
    """
    if not devices:
        raise SourceError(f"this machine has no {kind}; `overheard devices` lists its devices")
    if not wanted:
        default = [device for device in devices if device.is_default] or devices
        if len(default) == 1:
            return default[0]
        names = ", ".join(repr(device.name) for device in devices)
        raise SourceError(f"there is no default {kind}; name one of {names}")
    exact = [device for device in devices if device.name == wanted]
    matches = exact or [device for device in devices if wanted.casefold() in device.name.casefold()]
    if len(matches) != 1:
        number = "no" if not matches else "more than one"
        names = ", ".join(repr(device.name) for device in matches or devices)
        raise SourceError(f"{number} {kind} matches {wanted!r}; there are {names}")
    return matches[0]
