"""A reader's file through ``overheard analyze``, as a child process with bounded time, memory and sound.

Where it can, the file lies on the disk without a name, so that it is gone with the process, however that
ends. One file at a time is analysed on a server; others wait.
"""

from __future__ import annotations

import atexit
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

logger = logging.getLogger(__name__)

MEBIBYTE: Final = 1 << 20
MOST_FILE_BYTES: Final = 400 * MEBIBYTE
"""An hour of CD sound as FLAC fits; as WAV it does not."""
MOST_RUN_SECONDS: Final = 900.0
MOST_MEMORY_BYTES: Final = 1536 * MEBIBYTE
MOST_SOUND_SECONDS: Final = 3 * 3600.0
"""A small file may hold days of silence."""
MOST_UNSEEN_SECONDS: Final = 300.0
"""Nobody looked for so long: the page was closed. A tab in the background looks once a minute."""
QUIET_SECONDS: Final = 2.0
"""Estimates come several a second; for so long without one, the child is at what comes after them."""
MOST_SAID: Final = 4000
"""Letters of what the child says of faults that are kept, the last ones."""

FORMATS: Final = "mp3,wav,w64,flac,ogg,mov,aac,aiff,au,matroska"
"""FFmpeg's names of containers that hold sound, and none that point to other files."""
SUFFIXES: Final = ("mp3", "wav", "flac", "ogg", "m4a", "opus", "aac", "aiff", "au")

NAMELESS: Final = sys.platform == "linux"
"""Elsewhere ``/dev/fd/N`` opened twice is one place in the file, and the analysis opens it twice."""

WATCH_SECONDS: Final = 0.5

_turn = threading.BoundedSemaphore(1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one analysis may cost."""

    file_bytes: int = MOST_FILE_BYTES
    run_seconds: float = MOST_RUN_SECONDS
    memory_bytes: int = MOST_MEMORY_BYTES
    sound_seconds: float = MOST_SOUND_SECONDS
    unseen_seconds: float = MOST_UNSEEN_SECONDS


class AnalysisJob:
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
        """Of their messages what ``file_view.bands`` reads: three hours have twenty thousand."""
        self.picture: Mapping[str, Any] | None = None
        self.summary: Mapping[str, Any] | None = None
        self._limits = limits or Limits()
        self._cancelled = threading.Event()
        self._seen_at = self._heard_at = time.monotonic()

    @property
    def explaining(self) -> bool:
        """Whether all was heard, and what is looked for now is what mattered."""
        quiet = time.monotonic() - self._heard_at > QUIET_SECONDS
        return self.running and bool(self.estimates) and self.picture is None and quiet

    def start(self, content: IO[bytes]) -> None:
        """Copy the content to where the child finds it, and analyse it when its turn comes."""
        try:
            file = copied(content, self._limits.file_bytes)
        except OSError as error:  # the disk is full
            logger.warning("a file could not be copied: %s", error)
            self._end("broken", str(error))
            return
        if file is None:
            self._end("too_large")
            return
        threading.Thread(target=self._run, args=(file,), name="file", daemon=True).start()

    def look(self) -> None:
        """Somebody still wants it; without that it is ended after ``Limits.unseen_seconds``."""
        self._seen_at = time.monotonic()

    def cancel(self) -> None:
        """End it; the page does not want it any more."""
        self._cancelled.set()

    def _end(self, fault: str, detail: str = "") -> None:
        self.fault, self.detail, self.done, self.running = fault, detail, True, False

    def _run(self, file: IO[bytes]) -> None:
        with file:
            while not _turn.acquire(timeout=WATCH_SECONDS):
                if unwanted := self._unwanted():
                    self._end(unwanted)
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
        address = f"/dev/fd/{file.fileno()}" if NAMELESS else file.name
        # nice: what is live goes first. -P: Python must not look for our packages in the present folder.
        child = subprocess.Popen(
            ["nice", "-n", "5", sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", "--explain",
             "--formats", FORMATS, address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", pass_fds=(file.fileno(),),
        )  # fmt: skip
        atexit.register(child.kill)  # the server's end is the child's
        said: deque[str] = deque(maxlen=MOST_SAID)
        threads = [
            threading.Thread(target=_listen, args=(child, said), daemon=True),
            threading.Thread(target=self._watch, args=(child,), daemon=True),
        ]
        with child:
            for thread in threads:
                thread.start()
            try:
                self._follow(child)
            except BaseException:
                child.kill()  # or it would go on beside the next one
                raise
            finally:
                for thread in threads:
                    thread.join()
                atexit.unregister(child.kill)
        if self.summary is None and not self.fault:
            self.fault = "unreadable" if child.returncode == 2 else "broken"
            told = "".join(said).strip()
            self.detail = told.replace(address, "the file")[-300:]
            self.detail = self.detail.removeprefix("overheard analyze: ")
            if child.returncode != 2:
                logger.warning("the analysis of a file ended with code %d: %s", child.returncode, told)
        self._end("" if self.summary is not None else self.fault, self.detail)

    def _follow(self, child: subprocess.Popen[str]) -> None:
        """Take what the child finds, until it ends."""
        assert child.stdout is not None
        for line in child.stdout:
            self._take(json.loads(line))
            if self.heard_seconds > self._limits.sound_seconds:
                self.fault = self.fault or "too_long"
                child.kill()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "picture":
            self.picture = message
        elif message["type"] == "summary":
            self.summary = message
        else:
            kept = {name: message["estimate"][name] for name in ("state", "label", "stable_label")}
            times = {name: message[name] for name in ("start_seconds", "end_seconds")}
            self.estimates.append(times | {"estimate": kept})
            self.heard_seconds = message["end_seconds"]
            self._heard_at = time.monotonic()

    def _watch(self, child: subprocess.Popen[str]) -> None:
        """End the child when it costs too much, or nobody wants it."""
        ends_at = time.monotonic() + self._limits.run_seconds
        while child.poll() is None:
            self._cancelled.wait(WATCH_SECONDS)
            if unwanted := self._unwanted():
                self.fault = unwanted
            elif time.monotonic() > ends_at:
                self.fault = "too_slow"
            elif resident_bytes(child.pid) > self._limits.memory_bytes:
                self.fault = "too_much_memory"
            if self.fault:
                child.kill()
                return

    def _unwanted(self) -> str:
        """Why nobody waits for it any more, as a fault; empty while somebody does."""
        if self._cancelled.is_set():
            return "cancelled"
        unseen = time.monotonic() - self._seen_at > self._limits.unseen_seconds
        return "abandoned" if unseen else ""


def copied(content: IO[bytes], max_bytes: int) -> IO[bytes] | None:
    """The same bytes in a file that is gone when the caller closes it; None if they are too many."""
    file = tempfile.TemporaryFile() if NAMELESS else tempfile.NamedTemporaryFile()
    try:
        content.seek(0)
        size = 0
        while piece := content.read(MEBIBYTE):
            size += len(piece)
            if size > max_bytes:
                file.close()
                return None
            file.write(piece)
        file.flush()
    except OSError:
        file.close()
        raise
    return file


def _listen(child: subprocess.Popen[str], said: deque[str]) -> None:
    """Keep the end of what the child says of faults; unless all is read, one that says much would wait."""
    assert child.stderr is not None
    while piece := child.stderr.read(MOST_SAID):
        said.extend(piece)


def resident_bytes(process: int) -> int:
    """Return how much memory a process holds; 0 if it has ended."""
    import psutil

    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0
