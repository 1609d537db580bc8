"""Which devices there are, which one a name means, and the ``devices`` command.

Choosing is pure (lists of ``Device`` in, one out or a sentence); asking the system is kept apart.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.quiet import quiet_stderr
from realtime import capture
from realtime.capture import LiveSource
from realtime.clock import Clock
from realtime.errors import SourceError

PAREC_LATENCY_MS = 30
DUMMY_SINK = "auto_null"
"""PulseAudio's and PipeWire's stand-in when there is no sound card: nobody hears what plays there."""

MAC_LOOPBACKS = ("blackhole", "loopback audio", "soundflower", "vb-cable")


@dataclass(frozen=True, slots=True)
class Device:
    """Something that can be listened to; ``index`` is the sound system's, of this moment only."""

    name: str
    sample_rate: int
    channels: int
    is_default: bool = False
    index: int = -1


def choose(devices: Sequence[Device], wanted: str, what: str) -> Device:
    """The device that a name or part of it means; the default one for an empty name.

    Raises
    ------
    SourceError
        None, or more than one, with the candidates listed.
    """
    if not devices:
        raise SourceError(f"there is no {what} here; `overheard devices` lists what there is")
    if not wanted:
        return next((device for device in devices if device.is_default), devices[0])
    exact = [device for device in devices if device.name == wanted]
    found = exact or [device for device in devices if wanted.casefold() in device.name.casefold()]
    if len(found) != 1:
        fault = "no" if not found else "more than one"
        names = ", ".join(repr(device.name) for device in found or devices)
        raise SourceError(f"{fault} {what} matches {wanted!r}; there are {names}")
    return found[0]


def microphones() -> list[Device]:
    """Inputs that PortAudio sees, without the monitors of outputs.

    Raises
    ------
    SourceError
        PortAudio is not installed or does not start.
    """
    with quiet_stderr():
        try:
            import sounddevice
        except OSError as error:
            raise SourceError(
                f"microphones need the PortAudio library ({error}); on Debian: apt install libportaudio2"
            ) from error
        try:
            default = sounddevice.default.device[0]
            found = list(sounddevice.query_devices())
        except sounddevice.PortAudioError as error:
            raise SourceError(f"PortAudio cannot list the devices: {error}") from error
    return [
        Device(
            name=str(device["name"]),
            sample_rate=int(device["default_samplerate"]),
            channels=int(device["max_input_channels"]),
            is_default=device["index"] == default,
            index=int(device["index"]),
        )
        for device in found
        if device["max_input_channels"] > 0 and not str(device["name"]).startswith("Monitor of ")
    ]


def monitors() -> list[Device]:
    """Monitors of outputs on PulseAudio or PipeWire; the default output's is the default.

    Raises
    ------
    SourceError
        ``pactl`` is missing or no sound server answers.
    """
    return parse_monitors(_pactl("list", "short", "sources"), _pactl("info"))


def parse_monitors(sources: str, info: str) -> list[Device]:
    """Read what ``pactl list short sources`` and ``pactl info`` print."""
    default = re.search(r"^Default Sink: (.+)$", info, re.MULTILINE)
    default_monitor = f"{default[1]}.monitor" if default else ""
    found = []
    for line in sources.splitlines():
        fields = line.split("\t")
        form = re.search(r"(\d+)ch (\d+)Hz", line)
        if len(fields) < 4 or not fields[1].endswith(".monitor") or not form:
            continue
        found.append(Device(fields[1], int(form[2]), int(form[1]), fields[1] == default_monitor))
    return found


def open_microphone(wanted: str, clock: Clock) -> LiveSource:
    """Open a microphone by its name or part of it, the default one for an empty name.

    Raises
    ------
    SourceError
        It is not there, not the only one of that name, or does not open.
    """
    return _open_portaudio(choose(microphones(), wanted, "microphone"), clock)


def open_system(clock: Clock, *, auto: bool = False) -> LiveSource:
    """Open what the computer is playing.

    Parameters
    ----------
    clock : Clock
    auto : bool
        Refuse a sound server's stand-in output, which nobody hears.

    Raises
    ------
    SourceError
        This system has no way to it, with what to install.
    """
    device = system_device(auto=auto)
    name = f"system audio ({device.name})"
    if sys.platform == "win32":
        start = capture.start_soundcard(device.name, device.sample_rate, device.channels)
        return LiveSource(name, device.sample_rate, start, clock)
    if sys.platform == "darwin":
        return _open_portaudio(device, clock)
    command = [
        "parec",
        f"--device={device.name}",
        "--format=float32le",
        f"--rate={device.sample_rate}",
        f"--channels={device.channels}",
        f"--latency-msec={PAREC_LATENCY_MS}",
        "--client-name=overheard",
        "--raw",
    ]
    start = capture.start_parec(command, device.channels)
    return LiveSource(name, device.sample_rate, start, clock)


def system_device(*, auto: bool) -> Device:
    """What ``open_system`` would open.

    Raises
    ------
    SourceError
        As there.
    """
    if sys.platform == "win32":
        return _windows_speaker()
    if sys.platform == "darwin":
        return choose_loopback(microphones())
    device = choose(monitors(), "", "monitor of an output")
    if auto and device.name == f"{DUMMY_SINK}.monitor":
        raise SourceError("the only output is the sound server's stand-in for a missing sound card")
    return device


def choose_loopback(inputs: Sequence[Device]) -> Device:
    """The loopback driver among macOS's inputs.

    Raises
    ------
    SourceError
        There is none, with what to install.
    """
    for device in inputs:
        if any(name in device.name.casefold() for name in MAC_LOOPBACKS):
            return device
    raise SourceError(
        "macOS gives no program what others play; install the loopback driver BlackHole "
        "(brew install blackhole-2ch), choose it in a multi-output device, and try again"
    )


def _open_portaudio(device: Device, clock: Clock) -> LiveSource:
    channels = min(device.channels, 2)
    with quiet_stderr():
        start = capture.start_portaudio(device.index, channels, device.sample_rate)
        return LiveSource(device.name, device.sample_rate, start, clock)


def _windows_speaker() -> Device:
    try:
        import soundcard

        return Device(str(soundcard.default_speaker().name), 48_000, 2, is_default=True)
    except Exception as error:  # whatever Windows says, it means that there is nothing to listen to
        raise SourceError(f"Windows names no default speaker: {error}") from error


def _pactl(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise SourceError(
            "system audio needs pactl and parec; on Debian: apt install pulseaudio-utils"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SourceError("the sound server does not answer (pactl waited 5 s)") from error
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0]
        raise SourceError(f"no PulseAudio or PipeWire server answers: {reason}")
    return done.stdout


def command(arguments: Sequence[str]) -> int:
    """``overheard devices``: what can be listened to, and what ``auto`` would take."""
    argparse.ArgumentParser(
        prog="overheard devices", description="List what can be listened to, and what `auto` would take."
    ).parse_args(arguments)
    _print_devices("Outputs that `system` can listen to", _outputs)
    _print_devices("Microphones", microphones)
    try:
        print(f"`auto` takes system audio: {system_device(auto=True).name}")
    except SourceError as no_system:
        try:
            chosen = choose(microphones(), "", "microphone").name
            print(f"`auto` takes a microphone: {chosen} (no system audio: {no_system})")
        except SourceError as no_microphone:
            print(f"`auto` takes the bundled demonstration ({no_system}; {no_microphone})")
    return 0


def _outputs() -> list[Device]:
    return monitors() if sys.platform == "linux" else [system_device(auto=False)]


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
