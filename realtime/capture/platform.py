"""Open microphones and system audio through the API that the operating system has."""

from __future__ import annotations

import sys

from realtime.capture import portaudio, pulseaudio
from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource
from realtime.capture.wasapi import list_speakers, start_loopback
from realtime.clock import Clock
from realtime.errors import SourceError


def has_sound_server() -> bool:
    """Whether a sound server answers, whose devices are then the ones to choose from."""
    try:
        return sys.platform == "linux" and bool(pulseaudio.pactl("info"))
    except SourceError:
        return False


def open_microphone(wanted: str, clock: Clock, *, server: bool, follow: bool = False) -> LiveSource:
    """Open a microphone by its name or part of it, the default one for an empty name.

    Parameters
    ----------
    wanted : str
    clock : Clock
    server : bool
        Ask the sound server: its names outlive a replug, and it tells of changes. Otherwise PortAudio, which
        beside a running server could be given anything under a name of its own.
    follow : bool
        End when another microphone becomes the default, so that it can be opened instead.

    Raises
    ------
    SourceError
        It is not there, not the only one of that name, or does not open.
    """
    if server:
        return pulseaudio.open_input(wanted, clock, follow=follow)
    _refuse_to_follow(follow)
    return portaudio.open_portaudio(wanted, clock)


def open_system(wanted: str, clock: Clock, *, auto: bool = False, follow: bool = False) -> LiveSource:
    """Open what the computer is playing.

    Parameters
    ----------
    wanted : str
        Name of an output or of an application that plays, or part of it; empty for the default output.
    clock : Clock
    auto : bool
        Refuse a sound server's stand-in output, which nobody hears.
    follow : bool
        End when another output becomes the default, so that it can be opened instead.

    Raises
    ------
    SourceError
        This system has no way to it, with what to install.
    """
    if sys.platform == "linux":
        return pulseaudio.open_monitor(wanted, clock, auto=auto, follow=follow)
    _refuse_to_follow(follow)
    if wanted and sys.platform == "darwin":
        raise SourceError(f"macOS has no output {wanted!r} to listen to; use mic:NAME with a loopback driver")
    if sys.platform == "darwin":
        return portaudio.open_portaudio(portaudio.LOOPBACK, clock)
    device = find_device(list_speakers(), wanted, "output")
    start = start_loopback(device.name, device.sample_rate, device.channels)
    return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)


def _refuse_to_follow(follow: bool) -> None:
    if follow:
        raise SourceError("--follow-default needs a PulseAudio or PipeWire server; name the device instead")


def list_microphones() -> list[Device]:
    """List the microphones of the sound server, or those of PortAudio if no server answers."""
    return pulseaudio.inputs() if has_sound_server() else portaudio.microphones()


def list_outputs() -> list[Device]:
    """List the outputs and applications that ``system`` can listen to."""
    if sys.platform == "linux":
        return [*pulseaudio.monitors(), *pulseaudio.applications()]
    if sys.platform == "darwin":
        return [portaudio.choose_loopback(portaudio.microphones())]
    return list_speakers()


def find_system_device() -> Device:
    """Return the output that ``auto`` takes."""
    if sys.platform == "linux":
        return pulseaudio.choose_output("", auto=True)
    return find_device(list_outputs(), "", "output")
