"""A reader's file through ``overheard analyze``, as a child process with bounded time, memory and sound.

The file lies on the disk without a name, so that it is gone with the process, however that ends.
One file at a time is analysed on a server; others wait.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

logger = logging.getLogger(__name__)

MEBIBYTE: Final = 1 << 20
MOST_FILE_BYTES: Final = 400 * MEBIBYTE
"""An hour of CD sound as FLAC fits; as WAV it does not."""
MOST_RUN_SECONDS: Final = 900.0
MOST_MEMORY_BYTES: Final = 1536 * MEBIBYTE
MOST_SOUND_SECONDS: Final = 3 * 3600.0
"""A small file may hold days of silence."""

FORMATS: Final = "mp3,wav,w64,flac,ogg,mov,aac,aiff,au,matroska"
"""FFmpeg's names of containers that hold sound, and none that point to other files."""
SUFFIXES: Final = ("mp3", "wav", "flac", "ogg", "m4a", "opus", "aac", "aiff", "au")

WATCH_SECONDS: Final = 0.5

_turn = threading.BoundedSemaphore(1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one analysis may cost."""

    run_seconds: float = MOST_RUN_SECONDS
    memory_bytes: int = MOST_MEMORY_BYTES
    sound_seconds: float = MOST_SOUND_SECONDS


class FileAnalysis:
    """One file on its way; ``start`` returns at once, the rest is read whenever the page is laid out.

    Parameters
    ----------
    name : str
        As the reader calls the file; shown, never opened.
    limits : Limits
    """

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        self.name = name
        self.fault = ""
        """Why there is no result: a key of the page's texts, or empty."""
        self.detail = ""
        """What the child said of the fault, in English."""
        self.running = False
        self.done = False
        self.heard_seconds = 0.0
        self.estimates: list[Mapping[str, Any]] = []
        """Their messages, without the probabilities."""
        self.picture: Mapping[str, Any] | None = None
        self.summary: Mapping[str, Any] | None = None
        self._limits = limits or Limits()
        self._cancelled = threading.Event()

    def start(self, content: IO[bytes]) -> None:
        """Copy the content to where the child finds it, and analyse it when its turn comes."""
        file = tempfile.TemporaryFile()  # the thread closes it
        content.seek(0)
        size = 0
        while piece := content.read(MEBIBYTE):
            size += len(piece)
            if size > MOST_FILE_BYTES:
                file.close()
                self._end("too_large")
                return
            file.write(piece)
        file.flush()
        threading.Thread(target=self._run, args=(file,), name="file", daemon=True).start()

    def cancel(self) -> None:
        """End it; the page does not want it any more."""
        self._cancelled.set()

    def _end(self, fault: str, detail: str = "") -> None:
        self.fault, self.detail, self.done, self.running = fault, detail, True, False

    def _run(self, file: IO[bytes]) -> None:
        with file:
            while not _turn.acquire(timeout=WATCH_SECONDS):
                if self._cancelled.is_set():
                    self._end("cancelled")
                    return
            try:
                self.running = True
                self._analyse(file)
            except Exception as error:  # nobody else would hear of it
                logger.exception("the analysis of a file broke")
                self._end("broken", repr(error))
            finally:
                _turn.release()

    def _analyse(self, file: IO[bytes]) -> None:
        number = file.fileno()
        # nice: what is live goes first. -P: Python must not look for our packages in the present folder.
        child = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", "--explain",
             "--formats", FORMATS, f"/dev/fd/{number}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            pass_fds=(number,),
        )  # fmt: skip
        said: list[str] = []
        assert child.stdout is not None
        assert child.stderr is not None
        listener = threading.Thread(target=lambda pipe: said.append(pipe.read(4000)), args=(child.stderr,))
        listener.start()
        watch = threading.Thread(target=self._watch, args=(child,))
        watch.start()
        for line in child.stdout:
            self._take(json.loads(line))
            if self.heard_seconds > self._limits.sound_seconds:
                self.fault = self.fault or "too_long"
                child.kill()
        code = child.wait()
        for thread in (watch, listener):
            thread.join()
        child.stdout.close()
        child.stderr.close()
        if self.summary is None and not self.fault:
            self.fault = "unreadable" if code == 2 else "broken"
            self.detail = "".join(said).strip().replace(f"/dev/fd/{number}", "the file")[-300:]
            self.detail = self.detail.removeprefix("overheard analyze: ")
            if code != 2:
                logger.warning("the analysis of a file ended with code %d: %s", code, "".join(said))
        self._end("" if self.summary is not None else self.fault, self.detail)

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "picture":
            self.picture = message
        elif message["type"] == "summary":
            self.summary = message
        else:
            estimate = message["estimate"]
            del estimate["probabilities"]
            self.estimates.append(message)
            self.heard_seconds = message["end_seconds"]

    def _watch(self, child: subprocess.Popen[str]) -> None:
        """End the child when it costs too much, or nobody wants it."""
        ends_at = time.monotonic() + self._limits.run_seconds
        while child.poll() is None:
            if self._cancelled.wait(WATCH_SECONDS):
                self.fault = "cancelled"
            elif time.monotonic() > ends_at:
                self.fault = "too_slow"
            elif resident_bytes(child.pid) > self._limits.memory_bytes:
                self.fault = "too_much_memory"
            if self.fault:
                child.kill()
                return


def resident_bytes(process: int) -> int:
    """How much memory a process holds; 0 of one that has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # ended, or a system without /proc
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True)
        return int(told.stdout.strip() or 0) * 1024
