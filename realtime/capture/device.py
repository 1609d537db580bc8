"""What can be listened to, and which of it a name means: lists in, one device out or a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.errors import SourceError


@dataclass(frozen=True, slots=True)
class Device:
    """Something that can be listened to; ``index`` is the sound system's, of this moment only."""

    name: str
    sample_rate: int
    channels: int
    is_default: bool = False
    index: int = -1


def find_device(devices: Sequence[Device], wanted: str, what: str) -> Device:
    """The device that a name or part of it means; for an empty name the default one, or the only one.

    Raises
    ------
    SourceError
        None, or more than one, with the candidates listed.
    """
    if not devices:
        raise SourceError(f"there is no {what} here; `overheard devices` lists what there is")
    if not wanted:
        default = [device for device in devices if device.is_default] or devices
        if len(default) == 1:
            return default[0]
        names = ", ".join(repr(device.name) for device in devices)
        raise SourceError(f"no {what} is the default; name one of {names}")
    exact = [device for device in devices if device.name == wanted]
    found = exact or [device for device in devices if wanted.casefold() in device.name.casefold()]
    if len(found) != 1:
        fault = "no" if not found else "more than one"
        names = ", ".join(repr(device.name) for device in found or devices)
        raise SourceError(f"{fault} {what} matches {wanted!r}; there are {names}")
    return found[0]
