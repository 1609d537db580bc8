"""Capture through a child process that writes samples to its standard output."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import numpy as np

from models.common.child_environment import child_environment
from models.common.child_guard import guard_children
from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.errors import SourceError

READ_BYTES = 16_384
"""Maximum size of one read from a pipe, which is 43 ms of stereo at 48 kHz."""

STOP_TIMEOUT_SECONDS = 2.0
"""Seconds after which a terminated child process that has not ended is killed."""


def start_capture_process(command: list[str], channels: int) -> Start:
    """Capture the interleaved float32 samples that a command prints (``parec --format=float32le``).

    Parameters
    ----------
    command : list of str
    channels : int

    Returns
    -------
    callable
        Function that starts the capture, for ``LiveSource``.
    """

    def start(source: LiveSource) -> Stop:
        try:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C in a terminal ends this program, which ends the capture
            )
        except OSError as error:
            raise SourceError(
                f"cannot start {command[0]}: {error.strerror}; install pulseaudio-utils"
            ) from error
        return read_on_thread(process, lambda: _read_interleaved(process, source, channels))

    return start


def read_on_thread(process: subprocess.Popen[bytes], read: Callable[[], None]) -> Stop:
    """Read from a child process on the capture thread.

    Parameters
    ----------
    process : subprocess.Popen
    read : callable
        Reads until the process ends.

    Returns
    -------
    callable
        Function that ends the process and the thread.
    """
    thread = threading.Thread(target=read, name="capture", daemon=True)
    thread.start()
    release = guard_children(process.pid)

    def stop() -> None:
        stop_capture_process(process)
        thread.join()
        release()

    return stop


def stop_capture_process(process: subprocess.Popen[bytes]) -> None:
    """Terminate a child process, and kill it if it does not end in time."""
    process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_interleaved(process: subprocess.Popen[bytes], source: LiveSource, channels: int) -> None:
    """Deliver the samples that the child process prints, on the capture thread until the process ends."""
    pipe, errors = process.stdout, process.stderr
    if pipe is None or errors is None:
        raise ValueError("the child process needs pipes")
    frame_bytes = 4 * channels
    rest = b""
    with pipe, errors:
        while chunk := pipe.read(READ_BYTES):
            chunk = rest + chunk
            whole = len(chunk) - len(chunk) % frame_bytes
            rest = chunk[whole:]
            if whole:
                source.deliver(np.frombuffer(chunk[:whole], dtype="<f4").reshape(-1, channels))
        message = "; ".join(errors.read().decode(errors="replace").splitlines())
    source.fail(f"{source.name} ended: {message or 'the sound server closed the stream'}")
