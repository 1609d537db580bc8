"""Decoders in processes of their own, whose crash is an error and does not end this program."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import numpy as np

from models.audio.decoder_server import HEADER, MAX_REQUEST_BYTES
from models.audio.samples import Samples
from models.common.child_environment import child_environment
from models.common.text import shorten
from models.errors import AudioError

CAN_FORK: Final = sys.platform == "linux"
"""True if a server forks the decoders. Elsewhere each decoder is a new program, which starts more slowly."""

EXIT_SECONDS: Final = 2.0
"""Time in which the server ends at the end of this program, before it is killed."""

MAX_NAME_LETTERS: Final = 200
"""Letters of the name of an input whose location is too long, in its message."""


class DecoderCrashError(AudioError):
    """Unexpected end of a decoder's process."""


class DecoderProcess:
    """Job in a process of its own, and the messages that the job sends.

    Parameters
    ----------
    job : str
        ``module:function``. The function receives ``send`` and the arguments, see ``decoder_server``.
    arguments : mapping
        Keyword arguments of the function, which JSON can represent.
    display_name : str
        Name of the input in messages.
    fork : bool
        Fork the decoder instead of starting a new program.

    Raises
    ------
    AudioError
        If the system cannot start a process, or if the arguments are too long.
    """

    def __init__(
        self, job: str, arguments: Mapping[str, Any], display_name: str, *, fork: bool = CAN_FORK
    ) -> None:
        self._display_name = display_name
        content = {"job": job, "arguments": arguments, "environment": child_environment()}
        request = json.dumps(content).encode()
        if len(request) > MAX_REQUEST_BYTES:
            name = shorten(display_name, MAX_NAME_LETTERS)
            raise AudioError(
                f"{name} cannot be decoded: its location and the environment variables are too long"
            )
        try:
            self._link: _Link = _ForkedLink(request) if fork else _ProgramLink(request)
        except OSError as error:
            raise AudioError(
                f"{display_name} cannot be decoded: no process can be started ({error.strerror})"
            ) from error

    def messages(self) -> Iterator[tuple[dict[str, Any], Samples]]:
        """Yield the job's messages until the job ends, or until ``close``.

        Yields
        ------
        dict
            Fields.
        (n,) float32, read-only
            Samples, which may be empty.

        Raises
        ------
        AudioError
            If the job ended with an error, or if its process did not start or ended for an unknown reason.
        DecoderCrashError
            If the process ended unexpectedly.
        """
        while (message := self._read_message()) is not None:
            fields, samples = message
            if "log" in fields:
                level, name, text = fields["log"]
                logging.getLogger(name).log(level, "%s", text)
            elif "error" in fields:
                raise AudioError(fields["error"] or f"{self._display_name} {fields['unexpected']}")
            elif "end" in fields:
                return
            else:
                yield fields, samples
        if self._link.closed:
            return
        code = self._link.wait()
        if code is None:  # which proves no crash
            reason = "its decoder did not start or ended for an unknown reason"
            raise AudioError(f"{self._display_name} cannot be decoded: {reason}")
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise DecoderCrashError(f"{self._display_name} crashed the decoder ({reason})")

    def _read_message(self) -> tuple[dict[str, Any], Samples] | None:
        """Read one message, or None at the end of the connection."""
        header = self._link.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        text_bytes, sample_bytes = HEADER.unpack(header)
        content = self._link.read(text_bytes + sample_bytes)
        if len(content) < text_bytes + sample_bytes:
            return None
        fields: dict[str, Any] = json.loads(content[:text_bytes])
        return fields, np.frombuffer(content, np.float32, offset=text_bytes, count=sample_bytes // 4)

    def close(self) -> None:
        """End the process, and ``messages``. Any thread may call this method."""
        self._link.close()

    def __del__(self) -> None:
        if hasattr(self, "_link"):  # the process has started
            self._link.close()


class _Link(ABC):
    """Connection to a decoder's process."""

    def __init__(self, results: IO[bytes]) -> None:
        self.closed = False
        self._results = results

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes, or fewer at the end."""
        try:
            return self._results.read(size)
        except (OSError, ValueError):  # closed by another thread
            return b""

    @abstractmethod
    def wait(self) -> int | None:
        """Return the exit code of the process, which has ended. None if there is none."""

    @abstractmethod
    def close(self) -> None:
        """End the process."""


class _ForkedLink(_Link):
    """Connection to a process that the server forked."""

    def __init__(self, request: bytes) -> None:
        self._socket, theirs = socket.socketpair()
        code, their_code = os.pipe()
        self._code = os.fdopen(code, "rb")
        try:
            _server().send(request, [theirs.fileno(), their_code])
        except OSError:
            self._code.close()
            self._socket.close()
            raise
        finally:
            theirs.close()
            os.close(their_code)
        super().__init__(self._socket.makefile("rb"))

    def wait(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(self._code.read())
        return None

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends a read on another thread, and the decoder
        self._socket.close()
        self._results.close()
        self._code.close()


class _ProgramLink(_Link):
    """Connection to a process that was started for one decoder."""

    def __init__(self, request: bytes) -> None:
        self._process = subprocess.Popen(
            [*SERVER_ARGV, "--once"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,  # a signal to the group ends this program, which ends the decoder
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the decoder was started without pipes")
        super().__init__(self._process.stdout)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request + b"\n")
            self._process.stdin.flush()

    def wait(self) -> int | None:
        return self._process.wait()

    def close(self) -> None:
        self.closed = True
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._results.close()


SERVER_ARGV: Final = [sys.executable, "-P", "-m", "models.audio.decoder_server"]


def share_server() -> int | None:
    """Start the server of decoders for this process and its children, which then share the memory of FFmpeg.

    Returns
    -------
    int or None
        Descriptor that a child inherits and passes to ``use_server``. None if the system does not fork.

    Raises
    ------
    OSError
        If the server cannot start.
    """
    return _server().share() if CAN_FORK else None


def use_server(descriptor: int) -> None:
    """Use the server of the parent process, as long as that server runs."""
    _server().use(socket.socket(fileno=descriptor))


class _Server:
    """Process that forks decoders. It is started with the first decoder, and again if it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None  # None if the server is that of the parent
        self._control: socket.socket | None = None

    def share(self) -> int:
        """Return the descriptor of the connection, to which several processes may write."""
        with self._lock:
            return self._running().fileno()

    def use(self, control: socket.socket) -> None:
        """Write to a connection that another process opened."""
        with self._lock:
            self._control = control

    def send(self, request: bytes, descriptors: list[int]) -> None:
        """Send a request with its descriptors."""
        with self._lock:
            try:
                socket.send_fds(self._running(), [request], descriptors)
            except ConnectionError:  # the server ended after the check
                socket.send_fds(self._start(), [request], descriptors)

    def _running(self) -> socket.socket:
        """Return the connection to the server, which is started if it does not run."""
        if self._control is None or (self._process is not None and self._process.poll() is not None):
            return self._start()
        return self._control

    def _start(self) -> socket.socket:
        """Start the server in place of one that has ended, and return the connection to it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [*SERVER_ARGV, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # One thread, because only the thread that forks exists in the forked process.
                env=child_environment() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # a signal to the group ends this program, which ends the server
            )
        except OSError:
            control.close()
            raise
        finally:
            theirs.close()
        self._control = control
        return control

    def close(self) -> None:
        """End the server and all decoders."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                try:
                    self._process.wait(EXIT_SECONDS)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()


@functools.cache
def _server() -> _Server:
    """Return the server of this process, which all of its decoders share to save memory."""
    server = _Server()
    atexit.register(server.close)
    return server
