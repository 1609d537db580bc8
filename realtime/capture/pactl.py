"""List the devices, applications and mutes of PulseAudio and PipeWire through their program pactl."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import replace

from models.common.child_environment import child_environment
from realtime.capture.device import Device
from realtime.errors import SourceError

PACTL_TIMEOUT_SECONDS = 5.0
"""Seconds after which a server that has not answered counts as missing."""

APPLICATION_PREFIX = "application "
"""Prefix that distinguishes the names of applications from those of outputs."""


class SoundServerHangsError(SourceError):
    """Sound server that takes connections and does not answer. Each request takes the whole timeout."""


def list_sources(*, monitors: bool) -> list[Device]:
    """List the monitors of the outputs, or microphones and other inputs.

    The monitor of the default output is the default device of the monitors.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    return parse_sources(pactl("list", "short", "sources"), pactl("info"), monitors=monitors)


def parse_sources(sources: str, info: str, *, monitors: bool) -> list[Device]:
    """Parse the output of ``pactl list short sources``.

    Parameters
    ----------
    sources : str
    info : str
        Output of ``pactl info``, which names the default devices.
    monitors : bool
        Return the monitors of outputs. Otherwise return all other sources.
    """
    key, suffix = ("Sink", ".monitor") if monitors else ("Source", "")
    default = re.search(rf"^Default {key}: (.+)$", info, re.MULTILINE)
    default_name = f"{default[1]}{suffix}" if default else ""
    found = []
    for line in sources.splitlines():
        fields = line.split("\t")
        form = re.search(r"(\d+)ch (\d+)Hz", line)
        if len(fields) < 4 or not form or fields[1].endswith(".monitor") is not monitors:
            continue
        found.append(
            Device(fields[1], int(form[2]), int(form[1]), fields[1] == default_name, index=int(fields[0]))
        )
    return found


def list_applications() -> list[Device]:
    """List the playing applications, once for each of their streams.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    return parse_applications(pactl("list", "sink-inputs"))


def parse_applications(listed: str) -> list[Device]:
    """Parse the output of ``pactl list sink-inputs``."""
    found = []
    for part in _split_list(listed):
        number = re.match(r"\d+", part)
        form = re.search(r"^\s*Sample Specification: \S+ (\d+)ch (\d+)Hz", part, re.MULTILINE)
        name = re.search(r'^\s*application\.name = "(.*)"$', part, re.MULTILINE)
        binary = re.search(r'^\s*application\.process\.binary = "(.*)"$', part, re.MULTILINE)
        shown = next((each[1] for each in (name, binary) if each and each[1]), "")
        if number and form and shown:
            unmute_command = f"pactl set-sink-input-mute {number[0]} 0" if _is_muted(part) else ""
            found.append(
                Device(
                    APPLICATION_PREFIX + shown,
                    int(form[2]),
                    int(form[1]),
                    index=int(number[0]),
                    unmute_command=unmute_command,
                )
            )
    return found


def add_mutes(devices: Iterable[Device]) -> list[Device]:
    """Add the unmute commands of devices that are muted. A muted output silences its monitor.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    mutes = parse_mutes(pactl("list", "sources"), pactl("list", "sinks"))
    return [replace(device, unmute_command=mutes.get(device.name, "")) for device in devices]


def parse_mutes(sources: str, sinks: str) -> dict[str, str]:
    """Parse the output of ``pactl list sources`` and of ``pactl list sinks``.

    Returns
    -------
    dict of str to str
        Muted sources, monitors of muted outputs included, and the commands that unmute them.
    """
    found = {}
    for kind, listed in (("sink", sinks), ("source", sources)):
        for part in _split_list(listed):
            name = re.search(r"^\s*Name: (.+)$", part, re.MULTILINE)
            monitor = re.search(r"^\s*Monitor Source: (.+)$", part, re.MULTILINE)
            recorded = monitor if kind == "sink" else name
            if name and recorded and _is_muted(part):
                found[recorded[1]] = f"pactl set-{kind}-mute {shlex.quote(name[1])} 0"
    return found


def _split_list(listed: str) -> list[str]:
    """Split the output of ``pactl list`` into the descriptions of its objects, each from its number."""
    return re.split(r"^\S.* #(?=\d+$)", listed, flags=re.MULTILINE)[1:]


def _is_muted(description: str) -> bool:
    found = re.search(r"^\s*Mute: (yes|no)$", description, re.MULTILINE)  # the first, before the properties
    return found is not None and found[1] == "yes"


def pactl(*arguments: str) -> str:
    """Run pactl and return its output.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            timeout=PACTL_TIMEOUT_SECONDS,
            env=child_environment() | {"LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise SourceError(
            "system audio needs pactl and parec; on Debian: apt install pulseaudio-utils"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SoundServerHangsError(
            f"the sound server takes connections and does not answer (pactl waited "
            f"{PACTL_TIMEOUT_SECONDS:.0f} s); restart the sound server"
        ) from error
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0]
        raise SourceError(f"no PulseAudio or PipeWire server answers: {reason}")
    return done.stdout
