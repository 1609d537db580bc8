"""Opening what a person asks to listen to, by system, and the ``devices`` command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from models.options import OptionParser
from realtime import capture, portaudio, pulse
from realtime.capture import LiveSource
from realtime.clock import Clock
from realtime.device import Device, choose
from realtime.errors import SourceError


def has_sound_server() -> bool:
    """Whether a sound server answers, whose devices are then the ones to choose from."""
    try:
        return sys.platform == "linux" and bool(pulse.pactl("info"))
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
        return pulse.open_input(wanted, clock, follow=follow)
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
        return pulse.open_monitor(wanted, clock, auto=auto, follow=follow)
    _refuse_to_follow(follow)
    if wanted and sys.platform == "darwin":
        raise SourceError(f"macOS has no output {wanted!r} to listen to; use mic:NAME with a loopback driver")
    if sys.platform == "darwin":
        return portaudio.open_portaudio(portaudio.LOOPBACK, clock)
    device = choose(_windows_speakers(), wanted, "output")
    start = capture.start_soundcard(device.name, device.sample_rate, device.channels)
    return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)


def _refuse_to_follow(follow: bool) -> None:
    if follow:
        raise SourceError("--follow-default needs a PulseAudio or PipeWire server; name the device instead")


def _microphones() -> list[Device]:
    return pulse.inputs() if has_sound_server() else portaudio.microphones()


def _windows_speakers() -> list[Device]:
    try:
        import soundcard

        default = str(soundcard.default_speaker().name)
        names = [str(speaker.name) for speaker in soundcard.all_speakers()]
    except Exception as error:  # whatever Windows says, it means that there is nothing to listen to
        raise SourceError(f"Windows names no speaker: {error}") from error
    return [Device(name, 48_000, 2, is_default=name == default) for name in names]


def _outputs() -> list[Device]:
    if sys.platform == "linux":
        return [*pulse.monitors(), *pulse.applications()]
    if sys.platform == "darwin":
        return [portaudio.choose_loopback(portaudio.microphones())]
    return _windows_speakers()


def _system_device() -> Device:
    """What ``auto`` takes of the outputs."""
    if sys.platform == "linux":
        return pulse.choose_output("", auto=True)
    return choose(_outputs(), "", "output")


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
            chosen = choose(_microphones(), "", "microphone").name
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
