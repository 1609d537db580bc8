"""Analysis of an uploaded file with ``overheard analyze`` in a child process.

Limits bound time, memory and audio length. On Linux the file has no name on the disk, so that it disappears
with the process. A server analyzes one file at a time. Other files wait.
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

from models.common.child_environment import child_environment
from models.common.child_guard import guard_children

logger = logging.getLogger(__name__)

MEBIBYTE: Final = 1 << 20
MAX_FILE_BYTES: Final = 400 * MEBIBYTE
"""Maximum size of a file in bytes. An hour of CD audio fits as FLAC, but not as WAV."""
MAX_RUN_SECONDS: Final = 900.0
"""Maximum duration of an analysis in seconds."""
MAX_MEMORY_BYTES: Final = 1536 * MEBIBYTE
"""Maximum resident memory of the child in bytes."""
MAX_AUDIO_SECONDS: Final = 3 * 3600.0
"""Maximum length of the audio in seconds. A small file may hold days of silence."""
MAX_UNSEEN_SECONDS: Final = 300.0
"""Seconds without a refresh by the page after which a job ends. A background tab refreshes once a minute."""
QUIET_SECONDS: Final = 2.0
"""Seconds without an estimate after which the child is assumed to compute the explanation."""
MAX_STDERR_CHARACTERS: Final = 4000
"""Characters kept from the end of the child's error output."""

SUFFIXES: Final = ("mp3", "wav", "flac", "ogg", "m4a", "opus", "aac", "aiff", "au")
"""File name suffixes that the page offers for upload."""

UNNAMED_FILES: Final = sys.platform == "linux"
"""True if files without a name work. The analysis opens ``/dev/fd/N`` twice. Only on Linux each
opening has its own file position."""

WATCH_SECONDS: Final = 0.5
"""Seconds between checks of the limits."""

_slot = threading.BoundedSemaphore(1)
"""Permission to analyze. The job that holds it is the only running job of the server."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of one analysis."""

    file_bytes: int = MAX_FILE_BYTES
    run_seconds: float = MAX_RUN_SECONDS
    memory_bytes: int = MAX_MEMORY_BYTES
    audio_seconds: float = MAX_AUDIO_SECONDS
    unseen_seconds: float = MAX_UNSEEN_SECONDS


class AnalysisJob:
    """Analysis of one file. ``start`` returns at once, and the page polls the attributes.

    Parameters
    ----------
    name : str
        The user's name of the file. It is shown and never opened.
    limits : Limits
    """

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        self.name = name
        self.fault = ""
        """Reason why the analysis failed, as a key of the catalog ``file.fault``, or an empty text."""
        self.detail = ""
        """The child's error message, in English."""
        self.running = False
        self.done = False
        self.analyzed_seconds = 0.0
        self.estimates: list[Mapping[str, Any]] = []
        """Message fields that ``viewmodels.file.merge_bands`` reads. Three hours have 20,000 messages."""
        self.explanation: Mapping[str, Any] | None = None
        self.summary: Mapping[str, Any] | None = None
        self._limits = limits or Limits()
        self._cancelled = threading.Event()
        self._seen_at = self._last_estimate_at = time.monotonic()

    @property
    def explaining(self) -> bool:
        """True if all audio was analyzed and the child now computes the explanation."""
        quiet = time.monotonic() - self._last_estimate_at > QUIET_SECONDS
        return self.running and bool(self.estimates) and self.explanation is None and quiet

    def start(self, content: IO[bytes]) -> None:
        """Copy the content to a file for the child, and analyze it when its turn comes."""
        try:
            file = copy_to_temporary_file(content, self._limits.file_bytes)
        except OSError as error:  # the disk is full
            logger.warning("a file could not be copied: %s", error)
            self._end("broken", str(error))
            return
        if file is None:
            self._end("too_large")
            return
        threading.Thread(target=self._run, args=(file,), name="file-analysis", daemon=True).start()

    def mark_seen(self) -> None:
        """Record that the page still shows the file. Other jobs end after ``Limits.unseen_seconds``."""
        self._seen_at = time.monotonic()

    def cancel(self) -> None:
        """End the job, because the page no longer needs the result."""
        self._cancelled.set()

    def _end(self, fault: str, detail: str = "") -> None:
        self.fault, self.detail, self.done, self.running = fault, detail, True, False

    def _run(self, file: IO[bytes]) -> None:
        with file:
            while not _slot.acquire(timeout=WATCH_SECONDS):
                if reason := self._stop_reason():
                    self._end(reason)
                    return
            try:
                self.running = True
                self._analyze(file)
            except Exception as error:  # nothing else would report an exception of this thread
                logger.exception("the analysis of a file failed")
                self._end("broken", repr(error))
            finally:
                _slot.release()

    def _analyze(self, file: IO[bytes]) -> None:
        address = f"/dev/fd/{file.fileno()}" if UNNAMED_FILES else file.name
        # nice gives priority to live analysis. -P keeps Python from importing from the current folder.
        child = subprocess.Popen(
            ["nice", "-n", "5", sys.executable, "-P", "-m", "realtime.cli", "analyze", "--json", "--explain",
             address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", pass_fds=(file.fileno(),), env=child_environment(),
            start_new_session=True,  # a signal to the group ends this program, which ends the child
        )  # fmt: skip
        atexit.register(child.kill)  # the child ends with the server, also where there is no guard
        release = guard_children(child.pid)
        stderr_tail: deque[str] = deque(maxlen=MAX_STDERR_CHARACTERS)
        threads = [
            threading.Thread(target=_collect_stderr, args=(child, stderr_tail), daemon=True),
            threading.Thread(target=self._watch, args=(child,), daemon=True),
        ]
        with child:
            for thread in threads:
                thread.start()
            try:
                self._read_messages(child)
            except BaseException:
                child.kill()  # otherwise the child would run at the same time as the next one
                raise
            finally:
                for thread in threads:
                    thread.join()
                atexit.unregister(child.kill)
                release()
        if self.summary is None and not self.fault:
            self.fault = "unreadable" if child.returncode == 2 else "broken"
            stderr_text = "".join(stderr_tail).strip()
            self.detail = stderr_text.replace(address, "the file")[-300:]
            self.detail = self.detail.removeprefix("overheard analyze: ")
            if child.returncode != 2:
                logger.warning("the analysis of a file ended with code %d: %s", child.returncode, stderr_text)
        self._end("" if self.summary is not None else self.fault, self.detail)

    def _read_messages(self, child: subprocess.Popen[str]) -> None:
        """Apply the child's messages until the child ends."""
        for line in child.stdout or ():
            self._handle_message(json.loads(line))
            if self.analyzed_seconds > self._limits.audio_seconds:
                self.fault = self.fault or "too_long"
                child.kill()

    def _handle_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "picture":
            self.explanation = message
        elif message["type"] == "summary":
            self.summary = message
        else:
            estimate = {name: message["estimate"][name] for name in ("state", "label", "stable_label")}
            times = {name: message[name] for name in ("start_seconds", "end_seconds")}
            self.estimates.append(times | {"estimate": estimate})
            self.analyzed_seconds = message["end_seconds"]
            self._last_estimate_at = time.monotonic()

    def _watch(self, child: subprocess.Popen[str]) -> None:
        """End the child when it exceeds a limit or is no longer needed."""
        ends_at = time.monotonic() + self._limits.run_seconds
        while child.poll() is None:
            self._cancelled.wait(WATCH_SECONDS)
            if reason := self._stop_reason():
                self.fault = reason
            elif time.monotonic() > ends_at:
                self.fault = "too_slow"
            elif resident_bytes(child.pid) > self._limits.memory_bytes:
                self.fault = "too_much_memory"
            if self.fault:
                child.kill()
                return

    def _stop_reason(self) -> str:
        """Return the fault of a job that is no longer needed, else an empty text."""
        if self._cancelled.is_set():
            return "cancelled"
        unseen = time.monotonic() - self._seen_at > self._limits.unseen_seconds
        return "abandoned" if unseen else ""


def copy_to_temporary_file(content: IO[bytes], max_bytes: int) -> IO[bytes] | None:
    """Copy the bytes to a temporary file, which is deleted when the caller closes the file.

    Returns
    -------
    file or None
        None if there are more than ``max_bytes``.
    """
    file = tempfile.TemporaryFile() if UNNAMED_FILES else tempfile.NamedTemporaryFile()
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


def _collect_stderr(child: subprocess.Popen[str], stderr_tail: deque[str]) -> None:
    """Keep the end of the child's error output. The rest is read too, since a full pipe blocks the child."""
    while child.stderr is not None and (piece := child.stderr.read(MAX_STDERR_CHARACTERS)):
        stderr_tail.extend(piece)


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process and its decoder in bytes, or 0 if the process has ended."""
    import psutil

    try:
        analysis = psutil.Process(process)
        return sum(int(each.memory_info().rss) for each in (analysis, *analysis.children(recursive=True)))
    except psutil.Error:
        return 0
