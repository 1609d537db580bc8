"""PortAudio, in a child process: microphones where no sound server gives them, macOS's loopback drivers.

PortAudio lists the devices once, when it starts, so that whatever is plugged in later does not exist for it;
and a driver that hangs or crashes takes its process along. So each capture is a process, started
anew when its device was lost: ``python -m realtime.capture.portaudio NAME`` writes one line of JSON about the
device, then blocks of sound, each after a ``HEADER``.
"""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.audio.samples import sanitize_samples
from models.common.cli import silence_stderr
from realtime.capture.device import Device, find_device
from realtime.capture.live_source import LiveSource, Stop
from realtime.capture.subprocess_reader import stop_capture_process
from realtime.clock import Clock
from realtime.errors import SourceError

HEADER: Final = struct.Struct("<III")
"""Frames that follow, frames lost on the way before them, and 1 when the device lost some itself."""

OPENING_SECONDS = 10.0
WAITING_BLOCKS: Final = 256
"""Blocks between callback and pipe: the analyzer stands still for a second before one is lost."""

LOOPBACK = "--loopback"
"""Stands for a loopback driver instead of a name."""

MAC_LOOPBACKS = ("blackhole", "loopback audio", "soundflower", "vb-cable")


def microphones() -> list[Device]:
    """Inputs that PortAudio sees, without the monitors of outputs.

    Raises
    ------
    SourceError
        PortAudio is not installed or does not start.
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
    """Inputs among what PortAudio lists; ``default`` is the number of the default one.

    On Windows a device stands there once for each of four interfaces, under one name; only those of the
    default one's interface count, or no name would mean one device.
    """
    interfaces = {device["index"]: device["hostapi"] for device in found}
    wanted = interfaces.get(default)
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
        and wanted in (None, device["hostapi"])
        and not str(device["name"]).startswith("Monitor of ")
    ]


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


def open_portaudio(wanted: str, clock: Clock) -> LiveSource:
    """Capture from the device that a name or part of it means, ``LOOPBACK`` for a loopback driver.

    Raises
    ------
    SourceError
        It is not there, not the only one of that name, or does not open.
    """
    # -P: Python must not look for our packages in whatever folder the person is in.
    command = [sys.executable, "-P", "-m", "realtime.capture.portaudio", wanted]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise SourceError(f"cannot start the capture process: {error.strerror}") from error
    told = _first_line(process)
    if "error" in told:
        raise SourceError(told["error"])

    def start(source: LiveSource) -> Stop:
        thread = threading.Thread(target=_read, args=(process, source), name="capture", daemon=True)
        thread.start()

        def stop() -> None:
            stop_capture_process(process)
            thread.join()

        return stop

    return LiveSource(told["name"], int(told["sample_rate"]), start, clock, told["name"])


def _first_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the child says of the device; ``error``, and its end, when it says nothing of use in time."""
    lines: list[bytes] = []

    def read() -> None:
        if process.stdout is not None:
            lines.append(process.stdout.readline())

    reading = threading.Thread(target=read, name="opening", daemon=True)  # select takes no pipes on Windows
    reading.start()
    reading.join(OPENING_SECONDS)
    in_time = bool(lines)
    told: Any = None
    with contextlib.suppress(ValueError, IndexError):
        told = json.loads(lines[0])
    if isinstance(told, dict) and {"name", "sample_rate"} <= told.keys():
        return told
    process.kill()
    reading.join()
    _, said = process.communicate()
    if isinstance(told, dict) and "error" in told:
        return told
    if not in_time:
        return {"error": f"the sound system did not answer within {OPENING_SECONDS:.0f} s"}
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    return {"error": f"the capture process ended before it said what it captures: {last or 'no reason'}"}


def _read(process: subprocess.Popen[bytes], source: LiveSource) -> None:
    """Runs on the capture thread until the child ends."""
    pipe, errors = process.stdout, process.stderr
    if pipe is None or errors is None:
        raise ValueError("the child needs pipes")
    with pipe, errors:
        while len(header := pipe.read(HEADER.size)) == HEADER.size:
            frames, missed, overflowed = HEADER.unpack(header)
            content = pipe.read(4 * frames)
            if len(content) < 4 * frames:
                break
            source.deliver(np.frombuffer(content, "<f4"), overflowed=bool(overflowed), missed=missed)
    source.fail("the device stopped delivering; was it unplugged?")


def capture(device: Device, write: Callable[[bytes], object]) -> None:
    """Write what a device delivers until it ends; runs in the child.

    Raises
    ------
    SourceError
        It does not open.
    """
    import sounddevice

    waiting: queue.Queue[bytes] = queue.Queue(WAITING_BLOCKS)
    ended = threading.Event()
    missed = 0

    def callback(indata: npt.NDArray[np.float32], frames: int, moment: Any, status: Any) -> None:
        nonlocal missed
        mono = sanitize_samples(indata)
        try:
            header = HEADER.pack(frames, missed, bool(status.input_overflow))
            waiting.put_nowait(header + mono.astype("<f4").tobytes())
            missed = 0
        except queue.Full:
            missed += frames

    try:
        with sounddevice.InputStream(
            device=device.index,
            channels=min(device.channels, 2),
            samplerate=device.sample_rate,
            dtype="float32",
            latency="low",
            callback=callback,
            finished_callback=ended.set,
        ):
            about = {"name": device.name, "sample_rate": device.sample_rate}
            write(json.dumps(about).encode() + b"\n")
            while not (ended.is_set() and waiting.empty()):
                with contextlib.suppress(queue.Empty):
                    write(waiting.get(timeout=0.5))
    except sounddevice.PortAudioError as error:
        raise SourceError(f"cannot open {device.name} at {device.sample_rate} Hz: {error}") from error


def main(wanted: str) -> int:
    """Body of the child."""
    out = sys.stdout.buffer

    def write(content: bytes) -> None:
        out.write(content)
        out.flush()

    try:
        found = microphones()
        device = choose_loopback(found) if wanted == LOOPBACK else find_device(found, wanted, "microphone")
        with silence_stderr():
            capture(device, write)
    except SourceError as error:
        write(json.dumps({"error": str(error)}).encode() + b"\n")
        return 2
    except (BrokenPipeError, KeyboardInterrupt):
        return 0  # whoever listened is gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
