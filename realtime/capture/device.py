"""Sound devices, and the search for a device by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.errors import SourceError


@dataclass(frozen=True, slots=True)
class Device:
    """A device, or an application, whose sound can be captured.

    ``index`` is the number that the sound system gives it at this moment. Another device may have that number
    later.
    """

    name: str
    sample_rate: int
    channels: int
    is_default: bool = False
    index: int = -1


def find_device(devices: Sequence[Device], wanted: str, what: str) -> Device:
    """Find a device by its name or by a part of its name.

    Parameters
    ----------
    devices : sequence of Device
    wanted : str
        An exact name is preferred, and case is ignored in a part of a name. Empty for the default device, or
        for the only device if there is no default.
    what : str
        Kind of device, for messages.

    Raises
    ------
    SourceError
        If no device matches, or more than one. The message lists the candidates.
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
        number = "no" if not found else "more than one"
        names = ", ".join(repr(device.name) for device in found or devices)
        raise SourceError(f"{number} {what} matches {wanted!r}; there are {names}")
    return found[0]
