"""Capture through a child process that writes samples to its standard output."""

from __future__ import annotations

import subprocess
import threading

import numpy as np

from realtime.capture.live_source import LiveSource, Start, Stop
from realtime.errors import SourceError


def start_capture_process(command: list[str], channels: int) -> Start:
    """Capture what a child process writes as interleaved float32 (``parec --format=float32le``)."""

    def start(source: LiveSource) -> Stop:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        except OSError as error:
            raise SourceError(
                f"cannot start {command[0]}: {error.strerror}; install pulseaudio-utils"
            ) from error
        thread = threading.Thread(
            target=_read_interleaved, args=(process, source, channels), name="capture", daemon=True
        )
        thread.start()

        def stop() -> None:
            stop_capture_process(process)
            thread.join()

        return stop

    return start


def stop_capture_process(process: subprocess.Popen[bytes]) -> None:
    """End a child process, by force if need be."""
    process.terminate()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_interleaved(process: subprocess.Popen[bytes], source: LiveSource, channels: int) -> None:
    """Runs on the capture thread until the child ends."""
    pipe, errors = process.stdout, process.stderr
    if pipe is None or errors is None:
        raise ValueError("the child needs pipes")
    frame_bytes = 4 * channels
    rest = b""
    with pipe, errors:
        while chunk := pipe.read(16_384):
            chunk = rest + chunk
            whole = len(chunk) - len(chunk) % frame_bytes
            rest = chunk[whole:]
            if whole:
                source.deliver(np.frombuffer(chunk[:whole], dtype="<f4").reshape(-1, channels))
        said = "; ".join(errors.read().decode(errors="replace").splitlines())
    source.fail(f"{source.name} ended: {said or 'the sound server closed the stream'}")
