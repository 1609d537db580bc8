"""Server that runs each decoder in a process of its own: ``python -m models.audio.decoder_server``.

A fault in FFmpeg then ends one decoder, and neither the program nor its other sources. On Linux the server
imports FFmpeg once and forks a process for each request, which shares that memory. A request is one message
with two file descriptors: the socket for the results, and the pipe for the exit code. Elsewhere, and with the
argument ``--once``, the process serves the one request on its standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, Protocol, TypeAlias

import numpy as np

from models.audio.samples import Samples
from models.common.descriptors import raise_descriptor_limit
from models.errors import OverheardError

MAX_REQUEST_BYTES: Final = 65_536
"""Maximum length of a request. ``DecoderProcess`` refuses longer arguments."""

MAX_DESCRIPTORS: Final = 65_536
"""Open files that the server asks for. Each decoder takes two, and a monitor has one server."""

MAX_DATA_BYTES: Final = 1 << 30
"""Memory that a decoder may allocate on Linux. A decoder that needs more fails with an error."""

HEADER: Final = struct.Struct("<II")
"""Lengths of a message's fields and of its samples, both in bytes."""

NO_SAMPLES: Final = np.empty(0, dtype=np.float32)


_Decoders: TypeAlias = dict[int, tuple[int, int]]
"""Descriptors of the results and of the exit code, by process id."""


class Send(Protocol):
    """Function that sends a message: fields that JSON can represent, and (n,) float32 samples."""

    def __call__(self, fields: Mapping[str, Any], samples: Samples = NO_SAMPLES, /) -> None:
        """Send a message."""


def serve(control: socket.socket) -> None:
    """Fork a decoder for each request, until the other end of ``control`` is closed.

    Parameters
    ----------
    control : socket.socket
        Unix socket of the type SOCK_SEQPACKET.
    """
    # Here, so that the decoders share the modules. An import after the fork costs each decoder up to 1 MB.
    import encodings.idna  # noqa: F401
    import resource  # noqa: F401

    import av.subtitles.stream  # noqa: F401

    raise_descriptor_limit(MAX_DESCRIPTORS)
    wakeup, wake = socket.socketpair()
    for end in (wakeup, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    selector = selectors.PollSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wakeup, selectors.EVENT_READ)
    decoders: _Decoders = {}
    while True:
        events = {key.fd for key, _ in selector.select()}
        if wakeup.fileno() in events:
            wakeup.recv(4096)
            _reap(decoders, selector)
        for process, (results, _) in decoders.items():
            if results in events:  # the client has closed its end
                os.kill(process, signal.SIGKILL)
        if control.fileno() not in events:
            continue
        request, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 2)
        if not request:
            break
        if len(descriptors) == 2 and _fork(request, descriptors, decoders, selector):
            for end in (control, wakeup, wake):
                end.close()
            connection = os.fdopen(descriptors[0], "r+b", buffering=0)
            _run(request, connection.read, connection.write)
        if len(descriptors) < 2:  # this process may open no more; the client sees the end of its socket
            for descriptor in descriptors:
                os.close(descriptor)
    for process in decoders:
        os.kill(process, signal.SIGKILL)
    os._exit(0)  # without the handler of SIGCHLD, whose socket is closed first


def _fork(
    request: bytes, descriptors: list[int], decoders: _Decoders, selector: selectors.PollSelector
) -> bool:
    """Fork a decoder, and return True in the new process."""
    results, code = descriptors
    try:
        _import_job(json.loads(request)["job"])  # here, so that the next decoders share the module
        process = os.fork()
    except Exception:  # no process is left, or the request is wrong; the client receives no exit code
        os.close(results)
        os.close(code)
        return False
    if not process:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(code)
        for others in decoders.values():
            for descriptor in others:
                os.close(descriptor)
        return True
    decoders[process] = (results, code)
    selector.register(results, selectors.EVENT_READ)  # the client sends nothing, so this is its end
    return False


def _reap(decoders: _Decoders, selector: selectors.PollSelector) -> None:
    """Write the exit codes of the decoders that have ended."""
    for process in list(decoders):
        ended, status = os.waitpid(process, os.WNOHANG)
        if not ended:
            continue
        results, code = decoders.pop(process)
        selector.unregister(results)
        with contextlib.suppress(BrokenPipeError):  # the client has closed the decoder
            os.write(code, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(code)
        os.close(results)


def _run(
    request: bytes, read: Callable[[], bytes | None], write: Callable[[bytes | memoryview], Any]
) -> NoReturn:
    """Run the job of a request, and end this process, at the latest when ``read`` returns."""
    lock = threading.Lock()

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):  # the client left messages unread
            read()
        os._exit(0)  # the client has ended or has closed the decoder

    threading.Thread(target=wait_for_end, daemon=True).start()

    def send(fields: Mapping[str, Any], samples: Samples = NO_SAMPLES, /) -> None:
        """Send a message. The process ends if the client has closed the connection."""
        text, data = json.dumps(fields).encode(), np.ascontiguousarray(samples).tobytes()
        message = memoryview(HEADER.pack(len(text), len(data)) + text + data)
        try:
            with lock:
                while message:
                    message = message[write(message) :]
        except OSError:
            os._exit(0)

    _limit_memory()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # the C library reports damage to the memory there
    os.dup2(nowhere, 2)
    logging.basicConfig(level=logging.INFO, handlers=[_Forwarding(send)], force=True)
    wanted = json.loads(request)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    try:
        _import_job(wanted["job"])(send, **wanted["arguments"])
        send({"end": True})
    except OverheardError as error:
        send({"error": str(error)})
    except MemoryError:
        send({"error": "", "unexpected": f"needs more than {MAX_DATA_BYTES >> 20} MiB of memory"})
    except Exception as error:
        logging.getLogger(__name__).debug("the decoder failed", exc_info=error)
        send({"error": "", "unexpected": f"failed: {type(error).__name__}"})
    os._exit(0)  # without cleaning up, which could fail after damage to the memory


def _import_job(name: str) -> Callable[..., None]:
    module, _, function = name.partition(":")
    job: Callable[..., None] = getattr(importlib.import_module(module), function)
    return job


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = MAX_DATA_BYTES if hard == resource.RLIM_INFINITY else min(MAX_DATA_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


class _Forwarding(logging.Handler):
    """Handler that sends log records to the client."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        self._send({"log": [record.levelno, record.name, record.getMessage()]})


def main(arguments: list[str]) -> None:
    """Serve requests from the inherited socket whose descriptor is the argument, or ``--once``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    if arguments != ["--once"]:
        serve(socket.socket(fileno=int(arguments[0])))
        return
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    request = sys.stdin.buffer.readline()
    _run(request, sys.stdin.buffer.read, output.write)


if __name__ == "__main__":
    main(sys.argv[1:])
