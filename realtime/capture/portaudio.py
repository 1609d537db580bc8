"""Capture through PortAudio: microphones without a sound server, and the loopback drivers of macOS.

PortAudio lists the devices only once, when it starts, so it does not see a device that is plugged in later. A
driver that hangs or crashes also stops its process. Each capture therefore runs in a new child process
(``realtime.capture.portaudio_child``). The child writes one line of JSON about the device, then blocks of
samples, each after a ``HEADER``.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.common.child_environment import child_environment
from models.common.cli import silence_stderr
from models.common.concurrency import start_daemon_thread
from realtime.capture.device import Device
from realtime.capture.live_source import LiveSource, Stop
from realtime.capture.subprocess_reader import read_on_thread
from realtime.clock import Clock
from realtime.errors import SourceError

HEADER: Final = struct.Struct("<III")
"""Frames in the block, frames that the child lost before it, and 1 if the device itself lost frames."""

OPEN_TIMEOUT_SECONDS = 10.0
"""Seconds after which a child that has not described its device is killed."""

LOOPBACK = "--loopback"
"""Value in place of a device's name that selects a loopback driver."""

LIST_TIMEOUT_SECONDS = 5.0
"""Seconds after which a child that has not listed the devices is killed."""

LIST_DEVICES = "--list"
"""Argument of the child that prints the devices instead of capturing from one."""

MAC_LOOPBACKS = ("blackhole", "loopback audio", "soundflower", "vb-cable")
"""Parts of the names of loopback drivers, in lower case."""


def list_microphones(timeout_seconds: float = LIST_TIMEOUT_SECONDS) -> list[Device]:
    """List the inputs of PortAudio in a child process, because PortAudio waits for sound servers that hang.

    Raises
    ------
    SourceError
        If PortAudio is not installed, does not start or does not answer in time.
    """
    try:
        done = subprocess.run(
            _child_command(LIST_DEVICES),
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
            env=child_environment(),
        )
        listed: Any = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise SourceError(
            f"the sound system did not list its devices within {timeout_seconds:.0f} s; restart its server"
        ) from error
    except OSError as error:
        raise SourceError(f"cannot start the capture process: {error.strerror}") from error
    except ValueError:  # a driver has crashed
        listed = {"error": f"the sound system ended the process that lists its devices ({done.returncode})"}
    if isinstance(listed, dict):
        raise SourceError(listed["error"])
    return [Device(**each) for each in listed]


def list_microphones_here() -> list[Device]:
    """List the inputs of PortAudio without the monitors of outputs. The call may hang.

    Raises
    ------
    SourceError
        If PortAudio is not installed or does not start.
    """
    with silence_stderr():
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
    return parse_devices(found, default)


def parse_devices(found: Sequence[Mapping[str, Any]], default: int) -> list[Device]:
    """Select the inputs from PortAudio's devices.

    Windows lists each device under the same name for each of its four audio interfaces. Only the interface of
    the default device is used, because otherwise each name would match four devices.

    Parameters
    ----------
    found : sequence of mapping
        Result of ``sounddevice.query_devices``.
    default : int
        Number of the default input.
    """
    interfaces = {device["index"]: device["hostapi"] for device in found}
    interface = interfaces.get(default)
    return [
        Device(
            name=str(device["name"]),
            sample_rate=int(device["default_samplerate"]),
            channels=int(device["max_input_channels"]),
            is_default=device["index"] == default,
            index=int(device["index"]),
        )
        for device in found
        if device["max_input_channels"] > 0
        and interface in (None, device["hostapi"])
        and not str(device["name"]).startswith("Monitor of ")
    ]


def find_loopback(inputs: Sequence[Device]) -> Device:
    """Find the loopback driver among the inputs of macOS.

    Raises
    ------
    SourceError
        If no known driver is installed. The message names a driver to install.
    """
    for device in inputs:
        if any(name in device.name.casefold() for name in MAC_LOOPBACKS):
            return device
    raise SourceError(
        "macOS does not let programs capture system audio; install the loopback driver BlackHole "
        "(brew install blackhole-2ch), add it to a multi-output device, and try again"
    )


def open_portaudio(
    wanted: str, clock: Clock, *, open_timeout_seconds: float = OPEN_TIMEOUT_SECONDS
) -> LiveSource:
    """Capture from a device of PortAudio.

    Parameters
    ----------
    wanted : str
        Name of the device or a part of the name, or ``LOOPBACK`` for a loopback driver.
    clock : Clock
    open_timeout_seconds : float

    Raises
    ------
    SourceError
        If no single device matches, or if the device does not open in time.
    """
    try:
        process = subprocess.Popen(
            _child_command(wanted),
            env=child_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal ends this program, which ends the capture
        )
    except OSError as error:
        raise SourceError(f"cannot start the capture process: {error.strerror}") from error
    name, sample_rate = _read_description(process, open_timeout_seconds)

    def start(source: LiveSource) -> Stop:
        return read_on_thread(process, lambda: _read(process, source))

    return LiveSource(name, sample_rate, start, clock, name)


def _child_command(argument: str) -> list[str]:
    # -P: Python must not import packages from the current folder.
    return [sys.executable, "-P", "-m", "realtime.capture.portaudio_child", argument]


def _read_description(process: subprocess.Popen[bytes], timeout_seconds: float) -> tuple[str, int]:
    """Read name and sample rate of the device from the child's first line, or kill the child."""
    pipe = process.stdout
    if pipe is None:
        raise ValueError("the child process needs pipes")
    line = start_daemon_thread(pipe.readline, "opening")  # Windows cannot poll a pipe
    try:
        description: Any = json.loads(line.result(timeout_seconds))
    except (TimeoutError, ValueError):
        description = None
    if isinstance(description, dict) and {"name", "sample_rate"} <= description.keys():
        return description["name"], int(description["sample_rate"])
    in_time = line.done()
    process.kill()
    line.result()
    _, errors = process.communicate()
    if isinstance(description, dict) and "error" in description:
        raise SourceError(description["error"])
    if not in_time:
        raise SourceError(f"the sound system did not answer within {timeout_seconds:.0f} s")
    last = errors.decode(errors="replace").strip().rpartition("\n")[2]
    raise SourceError(f"the capture process ended before it opened the device: {last or 'no reason given'}")


def _read(process: subprocess.Popen[bytes], source: LiveSource) -> None:
    """Deliver the blocks of the child on the capture thread until the child ends."""
    pipe, errors = process.stdout, process.stderr
    if pipe is None or errors is None:
        raise ValueError("the child process needs pipes")
    with pipe, errors:
        while len(header := pipe.read(HEADER.size)) == HEADER.size:
            frames, missed, overflowed = HEADER.unpack(header)
            content = pipe.read(4 * frames)
            if len(content) < 4 * frames:
                break
            source.deliver(np.frombuffer(content, "<f4"), overflowed=bool(overflowed), missed=missed)
    source.fail("the device stopped delivering audio; was it unplugged?")
