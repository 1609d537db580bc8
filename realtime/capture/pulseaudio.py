"""Capture from PulseAudio and PipeWire through their programs pactl and parec.

A recording is a child process, which needs no ALSA plug-in and ends with this program. If the recorded device
disappears, a sound server moves the recording to another device without notifying the client. A second child
process therefore reports every change of the server, and a recording that was moved is ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from models.common.child_environment import child_environment
from models.common.child_guard import guard_children
from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.capture.subprocess_reader import start_capture_process, stop_capture_process
from realtime.clock import Clock
from realtime.errors import SourceError

PAREC_LATENCY_MS = 30
"""Latency that parec requests from the server. It delays the estimates."""

PACTL_TIMEOUT_SECONDS = 5.0
"""Seconds after which a server that has not answered counts as missing."""

DUMMY_SINK = "auto_null"
"""Silent output that PulseAudio and PipeWire create on a machine without a sound card."""

RECORDING_PROPERTY = "overheard.recording"
"""Property that identifies a recording of this program among all recordings of the server."""

APPLICATION_PREFIX = "application "
"""Prefix that distinguishes the names of applications from those of outputs."""

_RELEVANT_EVENT = re.compile(rb"'(new|remove|change)' on (server|source|source-output|sink-input) #")


class SoundServerHangsError(SourceError):
    """Sound server that takes connections and does not answer. Each request takes the whole timeout."""


def list_monitors() -> list[Device]:
    """List the monitors of the outputs. The monitor of the default output is the default device.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    return parse_sources(pactl("list", "short", "sources"), pactl("info"), monitors=True)


def list_inputs() -> list[Device]:
    """List microphones and other inputs.

    Raises
    ------
    SourceError
        If ``pactl`` is missing or no sound server answers.
    """
    return parse_sources(pactl("list", "short", "sources"), pactl("info"), monitors=False)


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
    for part in re.split(r"^Sink Input #", listed, flags=re.MULTILINE)[1:]:
        number = re.match(r"\d+", part)
        form = re.search(r"^\s*Sample Specification: \S+ (\d+)ch (\d+)Hz", part, re.MULTILINE)
        name = re.search(r'^\s*application\.name = "(.*)"$', part, re.MULTILINE)
        binary = re.search(r'^\s*application\.process\.binary = "(.*)"$', part, re.MULTILINE)
        shown = next((each[1] for each in (name, binary) if each and each[1]), "")
        if number and form and shown:
            found.append(Device(APPLICATION_PREFIX + shown, int(form[2]), int(form[1]), index=int(number[0])))
    return found


def open_monitor(wanted: str, clock: Clock, *, auto: bool = False, follow: bool = False) -> LiveSource:
    """Capture an output or a single application.

    Parameters
    ----------
    wanted : str
        Name of an output or application, or a part of the name. An empty text selects the default output.
    clock : Clock
    auto : bool
        Reject the dummy output of a machine without a sound card.
    follow : bool
        End when another output becomes the default, so that the caller can open the new default.

    Raises
    ------
    SourceError
        If not exactly one output or application matches, or if no sound server answers.
    """
    device = find_output(wanted, auto=auto)
    if device.name.startswith(APPLICATION_PREFIX):
        command = [*_parec_command(device), f"--monitor-stream={device.index}"]
        start = _watch_server(
            start_capture_process(command, device.channels), lambda: find_ended_stream(device)
        )
        return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)
    candidates = list_monitors if follow else None
    return _record(device, f"system audio ({device.name})", candidates, clock)


def find_output(wanted: str, *, auto: bool = False) -> Device:
    """Find the output or application that ``open_monitor`` captures. The parameters are the same.

    Raises
    ------
    SourceError
        If not exactly one output or application matches, or if no sound server answers.
    """
    outputs = list_monitors()
    if not wanted:
        device = find_device(outputs, "", "monitor of an output")
        if auto and device.name == f"{DUMMY_SINK}.monitor":
            raise SourceError("the only output is the sound server's dummy output, as there is no sound card")
        return device
    # One entry for each application: its newest stream.
    playing = list({device.name: device for device in list_applications()}.values())
    return find_device([*outputs, *playing], wanted, "output or application that plays")


def open_input(wanted: str, clock: Clock, *, follow: bool = False) -> LiveSource:
    """Capture a microphone. An empty name selects the default microphone.

    Raises
    ------
    SourceError
        If not exactly one microphone matches, or if no sound server answers.
    """
    device = find_device(list_inputs(), wanted, "microphone")
    return _record(device, device.name, list_inputs if follow else None, clock)


def _parec_command(device: Device) -> list[str]:
    return [
        "parec",
        "--format=float32le",
        f"--rate={device.sample_rate}",
        f"--channels={device.channels}",
        f"--latency-msec={PAREC_LATENCY_MS}",
        "--client-name=overheard",
        "--raw",
    ]


def _record(
    device: Device, name: str, candidates: Callable[[], list[Device]] | None, clock: Clock
) -> LiveSource:
    recording_id = os.urandom(16).hex()
    command = [
        *_parec_command(device),
        f"--device={device.name}",
        f"--property={RECORDING_PROPERTY}={recording_id}",
    ]
    start = _watch_server(
        start_capture_process(command, device.channels),
        lambda: describe_change(device, recording_id, candidates),
    )
    return LiveSource(name, device.sample_rate, start, clock, device.name)


def _watch_server(start: Start, find_reason: Callable[[], str]) -> Start:
    """Extend the start of a recording, so that a change of the sound server can end the recording.

    Parameters
    ----------
    start : callable
        Starts the recording.
    find_reason : callable
        Called after each change. It returns the reason to end the recording, or an empty text.
    """

    def start_both(source: LiveSource) -> Stop:
        try:
            watcher = subprocess.Popen(
                ["pactl", "subscribe"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment() | {"LC_ALL": "C"},
                start_new_session=True,  # Ctrl-C in a terminal ends this program, which ends the capture
            )
        except OSError as error:
            raise SourceError(f"cannot start pactl: {error.strerror}") from error
        try:
            stop = start(source)
        except SourceError:
            stop_capture_process(watcher)
            raise
        thread = threading.Thread(
            target=_follow_events, args=(watcher, source, find_reason), name="sound server", daemon=True
        )
        thread.start()
        release = guard_children(watcher.pid)

        def stop_both() -> None:
            watcher.terminate()  # its thread ends by itself, perhaps after a running call of pactl
            stop()
            release()

        return stop_both

    return start_both


def _follow_events(
    watcher: subprocess.Popen[bytes], source: LiveSource, find_reason: Callable[[], str]
) -> None:
    """Read the events of ``pactl subscribe`` on a separate thread until the process or the recording ends.

    If the process ends first, the recording is ended too, because it is no longer watched.
    """
    reason = ""
    try:
        with watcher, watcher.stdout or contextlib.nullcontext(()) as events:
            # The recording itself causes a first event, which reveals changes before the subscription.
            for event in events:
                if _RELEVANT_EVENT.search(event):
                    reason = find_reason()
                if reason:
                    break
            watcher.terminate()
    except Exception as error:  # the consumer would otherwise wait forever
        reason = str(error)
    source.fail(reason or "the sound server stopped reporting its changes")


def find_ended_stream(device: Device) -> str:
    """Return the reason to end the recording of an application, or an empty text.

    Raises
    ------
    SourceError
        If no sound server answers.
    """
    numbers = {line.split("\t")[0] for line in pactl("list", "short", "sink-inputs").splitlines()}
    return "" if str(device.index) in numbers else f"{device.name} stopped playing"


def describe_change(device: Device, recording_id: str, candidates: Callable[[], list[Device]] | None) -> str:
    """Return the reason to end the recording of a device, or an empty text.

    Parameters
    ----------
    device : Device
        Device that the recording was started for.
    recording_id : str
        Value of the recording's ``RECORDING_PROPERTY``.
    candidates : callable or None
        Lists the devices if the recording has to follow the default device. None if the device stays fixed.

    Raises
    ------
    SourceError
        If no sound server answers.
    """
    lines = [line.split("\t") for line in pactl("list", "short", "sources").splitlines()]
    names = {int(fields[0]): fields[1] for fields in lines}
    if device.name not in names.values():
        return f"{device.name} was removed"
    recorded = names.get(_find_recorded_source(recording_id), device.name)
    if recorded != device.name:
        return f"the sound server moved the recording from {device.name} to {recorded}"
    if candidates is not None and (default := find_device(candidates(), "", "device")).name != device.name:
        return f"{default.name} became the default device"
    return ""


def _find_recorded_source(recording_id: str) -> int:
    """Return the number of the source that a recording is connected to, or -1 if it is unknown."""
    try:
        outputs: Any = json.loads(pactl("--format=json", "list", "source-outputs"))
    except (SourceError, ValueError):  # before version 15 pactl prints no JSON
        return -1
    return next(
        (
            int(output["source"])
            for output in outputs
            if output["properties"].get(RECORDING_PROPERTY) == recording_id
        ),
        -1,
    )


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
