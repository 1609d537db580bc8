"""Child process that captures from one device: ``python -m realtime.capture.portaudio_child NAME``."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.audio.samples import sanitize_samples
from models.common.cli import silence_stderr
from realtime.capture.device import Device, find_device
from realtime.capture.portaudio import (
    HEADER,
    LIST_DEVICES,
    LOOPBACK,
    find_loopback,
    list_microphones_here,
)
from realtime.errors import SourceError

MAX_QUEUED_BLOCKS: Final = 256
"""Blocks between callback and pipe. The analyzer may pause for about a second before a block is lost."""


def capture(device: Device, write: Callable[[bytes], object]) -> None:
    """Write the blocks of a device until the device ends.

    Parameters
    ----------
    device : Device
    write : callable
        Called with the description of the device first, then with each block after its header.

    Raises
    ------
    SourceError
        If the device does not open.
    """
    import sounddevice

    waiting: queue.Queue[bytes] = queue.Queue(MAX_QUEUED_BLOCKS)
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
            description = {"name": device.name, "sample_rate": device.sample_rate}
            write(json.dumps(description).encode() + b"\n")
            while not (ended.is_set() and waiting.empty()):
                with contextlib.suppress(queue.Empty):
                    write(waiting.get(timeout=0.5))
    except sounddevice.PortAudioError as error:
        raise SourceError(f"cannot open {device.name} at {device.sample_rate} Hz: {error}") from error


def main(wanted: str) -> int:
    """Capture from a device and write to the standard output, as ``realtime.capture.portaudio`` describes.

    Parameters
    ----------
    wanted : str
        Name of the device or a part of the name, ``LOOPBACK`` for a loopback driver, or ``LIST_DEVICES`` to
        write all devices as JSON.

    Returns
    -------
    int
        Exit code.
    """
    out = sys.stdout.buffer

    def write(content: bytes) -> None:
        out.write(content)
        out.flush()

    try:
        found = list_microphones_here()
        if wanted == LIST_DEVICES:
            write(json.dumps([asdict(each) for each in found]).encode())
            return 0
        device = find_loopback(found) if wanted == LOOPBACK else find_device(found, wanted, "microphone")
        with silence_stderr():
            capture(device, write)
    except SourceError as error:
        write(json.dumps({"error": str(error)}).encode() + b"\n")
        return 2
    except (BrokenPipeError, KeyboardInterrupt):
        return 0  # the parent has closed the pipe
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
