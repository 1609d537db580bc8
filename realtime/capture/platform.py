"""Open and list microphones and system audio through the API of the operating system."""

from __future__ import annotations

import sys

from realtime.capture import pactl, portaudio, pulseaudio, wasapi
from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource
from realtime.clock import Clock
from realtime.errors import SourceError


def has_sound_server() -> bool:
    """Return True if a PulseAudio or PipeWire server answers.

    Raises
    ------
    SoundServerHangsError
        If a server takes connections and does not answer. PortAudio would wait for the server, too.
    """
    try:
        return sys.platform == "linux" and bool(pactl.pactl("info"))
    except pactl.SoundServerHangsError:
        raise
    except SourceError:
        return False


def open_microphone(wanted: str, clock: Clock, *, use_server: bool, follow: bool = False) -> LiveSource:
    """Open a microphone.

    Parameters
    ----------
    wanted : str
        Name of the microphone or a part of the name. An empty text selects the default microphone.
    clock : Clock
    use_server : bool
        Use the sound server, which reports changes and whose names stay the same when a device is plugged in
        again. Otherwise PortAudio is used. While a server runs, PortAudio may open any device, under a
        different name.
    follow : bool
        End when another microphone becomes the default, so that the caller can open the new default.

    Raises
    ------
    SourceError
        If no microphone matches, if more than one does, or if the microphone does not open.
    """
    if use_server:
        return pulseaudio.open_input(wanted, clock, follow=follow)
    _reject_follow(follow)
    return portaudio.open_portaudio(wanted, clock)


def open_system(wanted: str, clock: Clock, *, auto: bool = False, follow: bool = False) -> LiveSource:
    """Open the audio that the computer plays.

    Parameters
    ----------
    wanted : str
        Name of an output or of a playing application, or a part of the name. An empty text selects the
        default output.
    clock : Clock
    auto : bool
        Reject the dummy output of a machine without a sound card.
    follow : bool
        End when another output becomes the default, so that the caller can open the new default.

    Raises
    ------
    SourceError
        If this system cannot capture its audio, or if not exactly one output matches. The message has the
        remedy.
    """
    if sys.platform == "linux":
        return pulseaudio.open_monitor(wanted, clock, auto=auto, follow=follow)
    _reject_follow(follow)
    if wanted and sys.platform == "darwin":
        raise SourceError(f"macOS has no output {wanted!r} to listen to; use mic:NAME with a loopback driver")
    if sys.platform == "darwin":
        return portaudio.open_portaudio(portaudio.LOOPBACK, clock)
    device = find_device(wasapi.list_speakers(), wanted, "output")
    start = wasapi.start_loopback(device.name, device.sample_rate, device.channels)
    return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)


def _reject_follow(follow: bool) -> None:
    if follow:
        raise SourceError("--follow-default needs a PulseAudio or PipeWire server; name the device instead")


def list_microphones() -> list[Device]:
    """List the microphones of the sound server, or those of PortAudio if no server answers.

    Raises
    ------
    SourceError
        If the sound system cannot list the microphones.
    """
    return (
        pactl.add_mutes(pactl.list_sources(monitors=False))
        if has_sound_server()
        else portaudio.list_microphones()
    )


def list_outputs() -> list[Device]:
    """List the outputs and applications that ``system`` can capture.

    Raises
    ------
    SourceError
        If the sound system cannot list the outputs.
    """
    if sys.platform == "linux":
        return [*pactl.add_mutes(pactl.list_sources(monitors=True)), *pactl.list_applications()]
    if sys.platform == "darwin":
        return [portaudio.find_loopback(portaudio.list_microphones())]
    return wasapi.list_speakers()


def find_system_device() -> Device:
    """Find the output that the source ``auto`` opens.

    Raises
    ------
    SourceError
        If there is no output that ``auto`` can open.
    """
    if sys.platform == "linux":
        return pulseaudio.find_output("", auto=True)
    return find_device(list_outputs(), "", "output")
