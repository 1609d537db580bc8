"""Capture from PulseAudio and PipeWire through their programs pactl and parec.

A recording is a child process, which needs no ALSA plug-in and ends with this program. If the recorded device
disappears, a sound server moves the recording to another device without notifying the client. A second child
process therefore reports every change of the server. A recording that was moved is ended, and a device that
was muted is named.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from models.common.child_environment import child_environment
from models.common.child_guard import guard_children
from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.capture.pactl import (
    APPLICATION_PREFIX,
    add_mutes,
    list_applications,
    list_sources,
    pactl,
)
from realtime.capture.subprocess_reader import start_capture_process, stop_capture_process
from realtime.clock import Clock
from realtime.errors import SourceError

PAREC_LATENCY_MS = 30
"""Latency that parec requests from the server. It delays the estimates."""

DUMMY_SINK = "auto_null"
"""Silent output that PulseAudio and PipeWire create on a machine without a sound card."""

RECORDING_PROPERTY = "overheard.recording"
"""Property that identifies a recording of this program among all recordings of the server."""

_RELEVANT_EVENT = re.compile(rb"'(new|remove|change)' on (server|sink|source|source-output|sink-input) #")

EVENT_BYTES = 65_536
"""Events that are read at a time. A volume that is turned causes many, which need one look at the server."""

FIRST_EVENT_SECONDS = 2.0
"""Seconds between looks at the server until its first event. Changes may precede the subscription."""

LOOKS_BEFORE_EVENT = 5
"""Looks at the server without an event, after which the subscription surely exists."""


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
            start_capture_process(command, device.channels),
            lambda: find_ended_stream(device),
            lambda: describe_application_mute(device),
        )
        return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)
    candidates = partial(list_sources, monitors=True) if follow else None
    return _record(device, f"system audio ({device.name})", candidates, clock)


def find_output(wanted: str, *, auto: bool = False) -> Device:
    """Find the output or application that ``open_monitor`` captures. The parameters are the same.

    Raises
    ------
    SourceError
        If not exactly one output or application matches, or if no sound server answers.
    """
    outputs = list_sources(monitors=True)
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
    device = find_device(list_sources(monitors=False), wanted, "microphone")
    return _record(device, device.name, partial(list_sources, monitors=False) if follow else None, clock)


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
        lambda: add_mutes([device])[0].describe_mute(),
    )
    return LiveSource(name, device.sample_rate, start, clock, device.name)


def _watch_server(start: Start, find_reason: Callable[[], str], find_mute: Callable[[], str]) -> Start:
    """Extend the start of a recording, so that a change of the sound server can end or mute the recording.

    Parameters
    ----------
    start : callable
        Starts the recording.
    find_reason : callable
        Called after changes. It returns the reason to end the recording, or an empty text.
    find_mute : callable
        Called after changes. It returns a sentence if the recorded device is muted, or an empty text.
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
            target=_follow_events,
            args=(watcher, source, find_reason, find_mute),
            name="sound server",
            daemon=True,
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
    watcher: subprocess.Popen[bytes],
    source: LiveSource,
    find_reason: Callable[[], str],
    find_mute: Callable[[], str],
) -> None:
    """Read the events of ``pactl subscribe`` on a separate thread until the process or the recording ends.

    If the process ends first, the recording is ended too, because it is no longer watched.
    """
    reason = ""
    try:
        with watcher:
            for events in _read_events(watcher):
                if events is None or _RELEVANT_EVENT.search(events):
                    reason = find_reason()
                    source.muted = "" if reason else find_mute()
                if reason:
                    break
            watcher.terminate()
    except Exception as error:  # the consumer would otherwise wait forever
        reason = str(error)
    source.fail(reason or "the sound server stopped reporting its changes")


def _read_events(watcher: subprocess.Popen[bytes]) -> Iterator[bytes | None]:
    """Yield the whole lines that have arrived since the last ones.

    Before the first event, which shows that the subscription exists, None is yielded a few times. The
    recording itself causes an event, but its start may precede the subscription.
    """
    if watcher.stdout is None:
        raise ValueError("the child process needs a pipe")
    pipe, rest = watcher.stdout.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        for _ in range(LOOKS_BEFORE_EVENT):
            yield None
            if selector.select(FIRST_EVENT_SECONDS):
                break
    while chunk := os.read(pipe, EVENT_BYTES):
        lines, _, rest = (rest + chunk).rpartition(b"\n")
        yield lines


def describe_application_mute(device: Device) -> str:
    """Return a sentence if an application is muted on the sound server, or an empty text.

    Raises
    ------
    SourceError
        If no sound server answers.
    """
    streams = (stream for stream in list_applications() if stream.index == device.index)
    return next((stream.describe_mute() for stream in streams), "")


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
