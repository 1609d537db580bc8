"""PulseAudio and PipeWire, through pactl and parec: what there is, and how it is listened to.

A child process of our own outlives neither the sound server nor us, and needs no ALSA plug-in. A sound
server moves a recording to another device when its own goes away, without a word to whoever records: a
second child tells of every change, and a recording that was moved is ended rather than believed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import uuid
from collections.abc import Callable
from typing import Any

from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.capture.subprocess_reader import start_capture_process, stop_capture_process
from realtime.clock import Clock
from realtime.errors import SourceError

PAREC_LATENCY_MS = 30
PACTL_SECONDS = 5.0
DUMMY_SINK = "auto_null"
"""PulseAudio's and PipeWire's stand-in when there is no sound card: nobody hears what plays there."""

MARK = "overheard.recording"
"""Property by which a recording of ours is known again among all that the server lists."""

APPLICATION = "application "
"""What the names of applications begin with, among the outputs that can be listened to."""


def monitors() -> list[Device]:
    """Monitors of outputs; the default output's is the default.

    Raises
    ------
    SourceError
        ``pactl`` is missing or no sound server answers.
    """
    return parse_sources(pactl("list", "short", "sources"), pactl("info"), monitors=True)


def inputs() -> list[Device]:
    """Microphones and other inputs.

    Raises
    ------
    SourceError
        As ``monitors``.
    """
    return parse_sources(pactl("list", "short", "sources"), pactl("info"), monitors=False)


def parse_sources(sources: str, info: str, *, monitors: bool) -> list[Device]:
    """Read what ``pactl list short sources`` and ``pactl info`` print."""
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


def applications() -> list[Device]:
    """What plays just now, one entry a stream, under the application's name.

    Raises
    ------
    SourceError
        As ``monitors``.
    """
    return parse_applications(pactl("list", "sink-inputs"))


def parse_applications(listed: str) -> list[Device]:
    """Read what ``pactl list sink-inputs`` prints."""
    found = []
    for part in re.split(r"^Sink Input #", listed, flags=re.MULTILINE)[1:]:
        number = re.match(r"\d+", part)
        form = re.search(r"^\s*Sample Specification: \S+ (\d+)ch (\d+)Hz", part, re.MULTILINE)
        name = re.search(r'^\s*application\.name = "(.*)"$', part, re.MULTILINE)
        binary = re.search(r'^\s*application\.process\.binary = "(.*)"$', part, re.MULTILINE)
        called = next((each[1] for each in (name, binary) if each and each[1]), "")
        if number and form and called:
            found.append(Device(APPLICATION + called, int(form[2]), int(form[1]), index=int(number[0])))
    return found


def open_monitor(wanted: str, clock: Clock, *, auto: bool = False, follow: bool = False) -> LiveSource:
    """Listen to an output, or to one application.

    Parameters
    ----------
    wanted : str
        Name of an output or application, or part of it; empty for the default output.
    clock : Clock
    auto : bool
        Refuse a sound server's stand-in output, which nobody hears.
    follow : bool
        End when another output becomes the default, so that it can be opened instead.

    Raises
    ------
    SourceError
        It is not there, or is not the only one of that name.
    """
    device = choose_output(wanted, auto=auto)
    if device.name.startswith(APPLICATION):
        command = [*_parec(device), f"--monitor-stream={device.index}"]
        start = _watched(start_capture_process(command, device.channels), lambda: stopped_playing(device))
        return LiveSource(f"system audio ({device.name})", device.sample_rate, start, clock, device.name)
    return _record(device, f"system audio ({device.name})", monitors if follow else None, clock)


def choose_output(wanted: str, *, auto: bool = False) -> Device:
    """What ``open_monitor`` would listen to.

    Raises
    ------
    SourceError
        As there.
    """
    outputs = monitors()
    if not wanted:
        device = find_device(outputs, "", "monitor of an output")
        if auto and device.name == f"{DUMMY_SINK}.monitor":
            raise SourceError("the only output is the sound server's stand-in for a missing sound card")
        return device
    playing = list({device.name: device for device in applications()}.values())  # its newest stream
    return find_device([*outputs, *playing], wanted, "output or application that plays")


def open_input(wanted: str, clock: Clock, *, follow: bool = False) -> LiveSource:
    """Listen to a microphone, the default one for an empty name.

    Raises
    ------
    SourceError
        It is not there, or is not the only one of that name.
    """
    device = find_device(inputs(), wanted, "microphone")
    return _record(device, device.name, inputs if follow else None, clock)


def _parec(device: Device) -> list[str]:
    return [
        "parec",
        "--format=float32le",
        f"--rate={device.sample_rate}",
        f"--channels={device.channels}",
        f"--latency-msec={PAREC_LATENCY_MS}",
        "--client-name=overheard",
        "--raw",
    ]


def _record(device: Device, name: str, follow: Callable[[], list[Device]] | None, clock: Clock) -> LiveSource:
    mark = uuid.uuid4().hex
    command = [*_parec(device), f"--device={device.name}", f"--property={MARK}={mark}"]
    start = _watched(
        start_capture_process(command, device.channels), lambda: what_changed(device, mark, follow)
    )
    return LiveSource(name, device.sample_rate, start, clock, device.name)


def _watched(start: Start, changed: Callable[[], str]) -> Start:
    """End a recording as soon as the sound server says something after which ``changed`` gives a reason."""

    def start_both(source: LiveSource) -> Stop:
        try:
            watcher = subprocess.Popen(
                ["pactl", "subscribe"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"LC_ALL": "C"},
            )
        except OSError as error:
            raise SourceError(f"cannot start pactl: {error.strerror}") from error
        try:
            stop = start(source)
        except SourceError:
            stop_capture_process(watcher)
            raise
        thread = threading.Thread(
            target=_watch, args=(watcher, source, changed), name="sound server", daemon=True
        )
        thread.start()

        def stop_both() -> None:
            watcher.terminate()  # its thread ends by itself, maybe after a question that it has just asked
            stop()

        return stop_both

    return start_both


def _watch(watcher: subprocess.Popen[bytes], source: LiveSource, changed: Callable[[], str]) -> None:
    """Runs on a thread of its own until the child ends; a recording that nobody watches is ended too."""
    reason = ""
    try:
        with watcher, watcher.stdout or contextlib.nullcontext(()) as events:
            # What happened before the child listened is seen at its first event, which our recording causes.
            for event in events:
                if re.search(rb"'(new|remove|change)' on (server|source|source-output|sink-input) #", event):
                    reason = changed()
                if reason:
                    break
            watcher.terminate()
    except Exception as error:  # whatever it is, nobody else would hear of it
        reason = str(error)
    source.fail(reason or "the sound server tells of no changes any more")


def stopped_playing(device: Device) -> str:
    """Why a recording of an application is over, empty when it is not.

    Raises
    ------
    SourceError
        No sound server answers.
    """
    numbers = {line.split("\t")[0] for line in pactl("list", "short", "sink-inputs").splitlines()}
    return "" if str(device.index) in numbers else f"{device.name} plays no more"


def what_changed(device: Device, mark: str, follow: Callable[[], list[Device]] | None) -> str:
    """Why a recording of ours is over, empty when it is not.

    Parameters
    ----------
    device : Device
        What it is to record.
    mark : str
        Its property ``MARK``.
    follow : callable or None
        Lists the devices among which the default one is to be recorded.

    Raises
    ------
    SourceError
        No sound server answers.
    """
    lines = [line.split("\t") for line in pactl("list", "short", "sources").splitlines()]
    names = {int(fields[0]): fields[1] for fields in lines}
    if device.name not in names.values():
        return f"{device.name} is gone"
    recorded = names.get(_recorded_source(mark), device.name)
    if recorded != device.name:
        return f"the sound server moved the recording from {device.name} to {recorded}"
    if follow is not None and (default := find_device(follow(), "", "device")).name != device.name:
        return f"{default.name} is the default now"
    return ""


def _recorded_source(mark: str) -> int:
    """Number of the source that a recording of ours is connected to; -1 where pactl does not say."""
    try:
        listed: Any = json.loads(pactl("--format=json", "list", "source-outputs"))
    except (SourceError, ValueError):  # before version 15 it prints no JSON
        return -1
    return next((int(each["source"]) for each in listed if each["properties"].get(MARK) == mark), -1)


def pactl(*arguments: str) -> str:
    """What pactl prints.

    Raises
    ------
    SourceError
        It is missing, or no sound server answers.
    """
    try:
        done = subprocess.run(
            ["pactl", *arguments],
            capture_output=True,
            text=True,
            timeout=PACTL_SECONDS,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise SourceError(
            "system audio needs pactl and parec; on Debian: apt install pulseaudio-utils"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"the sound server does not answer (pactl waited {PACTL_SECONDS:.0f} s)") from error
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0]
        raise SourceError(f"no PulseAudio or PipeWire server answers: {reason}")
    return done.stdout
