"""Memory, descriptors and network ports of this process and the processes below it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

SAMPLE_SECONDS = 0.02


class Watch:
    """Thread that samples the processes below this one. It is a context manager.

    Attributes
    ----------
    peak_bytes : int
        Largest resident memory of one process since ``reset``. A process that ran before counts only if it
        has grown beyond its largest memory.
    udp : set of int
        Inodes of the UDP sockets on which a process could receive anything. A connected one, such as one for
        the lookup of a name, does not count.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self.udp: set[int] = set()
        self._parents: dict[int, int] = {}
        self._peaks: dict[int, int] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def reset(self) -> None:
        """Forget what was measured."""
        self._peaks = {process: self._peak(process) for process in self._below()}
        self.peak_bytes = 0
        self.udp.clear()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for process in self._below():
                if (peak := self._peak(process)) > self._peaks.get(process, 0):
                    self.peak_bytes = max(self.peak_bytes, peak)
            if table := _udp_inodes():
                for process in self._below():
                    with contextlib.suppress(OSError, ValueError):
                        self.udp |= table & _socket_inodes(process)

    @staticmethod
    def _peak(process: int) -> int:
        """Return the largest resident memory that a process had, 0 for one that has ended or not begun.

        Until a forked process runs its own program, its memory and its command are those of this process.
        """
        with contextlib.suppress(OSError, ValueError):
            if Path(f"/proc/{process}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes():
                return 0
            status = Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2]
            return int(status.split()[0]) * 1024 if status else 0
        return 0

    def _below(self) -> list[int]:
        """Return the processes below this one. Only new processes are asked for their parent."""
        with self._lock:
            return self._find_below()

    def _find_below(self) -> list[int]:
        present = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
        for process in present - self._parents.keys():
            with contextlib.suppress(OSError, ValueError):
                self._parents[process] = _parent(process)
        self._parents = {process: parent for process, parent in self._parents.items() if process in present}
        below = found = {os.getpid()}
        while found:
            found = {p for p, parent in self._parents.items() if parent in found and p not in below}
            below = below | found
        return sorted(below - {os.getpid()})


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _udp_inodes() -> set[int]:
    lines = [
        line for name in ("udp", "udp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    fields = (line.split() for line in lines)
    return {int(each[9]) for each in fields if each[2].endswith(":0000")}  # the address of the other end


def _socket_inodes(process: int) -> set[int]:
    links = [os.readlink(link) for link in os.scandir(f"/proc/{process}/fd")]
    return {int(link[8:-1]) for link in links if link.startswith("socket:[")}


def processes(main: psutil.Process) -> Iterator[psutil.Process]:
    """Yield a process and all processes below it."""
    with contextlib.suppress(psutil.Error):
        yield from (main, *main.children(recursive=True))


def resident_bytes(main: psutil.Process) -> int:
    """Return the resident memory of a process and all processes below it."""
    total = 0
    for process in processes(main):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def open_files(main: psutil.Process) -> int:
    """Return the number of open descriptors of a process and all processes below it."""
    total = 0
    for process in processes(main):
        with contextlib.suppress(psutil.Error):
            total += process.num_fds()
    return total
