"""The history of what was heard: a watcher that hands every message to a thread which writes it down.

``segments`` folds messages into rows, ``history_file`` writes rows; here is what lies between: the bounded
queue, and what to do while the file cannot be written.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from models.common.paths import data_folder
from realtime.clock import Clock
from realtime.history.errors import HistoryError
from realtime.history.recorder import HistoryRecorder
from realtime.history.store import BUSY_TIMEOUT_SECONDS, HistoryStore
from realtime.protocol.messages import Message

logger = logging.getLogger(__name__)

T = TypeVar("T")

FLUSH_SECONDS = 5.0
"""How often the file is written: what a crash may lose."""

CLOSE_SECONDS = 5.0

MAX_QUEUED_MESSAGES = 2_000
"""Between the analysis and this thread; when it is full, the message that comes is dropped and counted."""

ANSWER_SECONDS = 15.0
"""How long whoever wants something done on the history's thread waits for it."""


def default_path() -> Path:
    """Return the history's file for the setting ``auto``."""
    return data_folder() / "history.sqlite"


def resolve_path(setting: str) -> Path | None:
    """Return the file that the setting ``history`` means: a path, ``auto``, or None for ``off``."""
    if setting in ("", "auto"):
        return default_path()
    return None if setting == "off" else Path(setting).expanduser()


Job: TypeAlias = Callable[[], None]


class HistoryWriter:
    """Writes sessions down; call it with every message, on any thread.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made, for this user only, when they are missing.
    clock : Clock
    model, model_version : str
        Noted with every session.
    flush_seconds : float
    busy_seconds : float
        How long to wait for another program's write.
    file_of : callable
        As ``HistoryStore`` takes it.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        model: str = "",
        model_version: str = "",
        *,
        flush_seconds: float = FLUSH_SECONDS,
        busy_seconds: float = BUSY_TIMEOUT_SECONDS,
        file_of: Callable[[str, float], str] = lambda _source, _started: "",
    ) -> None:
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._recorder = HistoryRecorder(
            HistoryStore(path, model, model_version, busy_seconds, file_of), clock
        )
        self._queue: queue.Queue[Message | Job | None] = queue.Queue(MAX_QUEUED_MESSAGES)
        self._counting = threading.Lock()
        self._dropped = 0
        self._closing = threading.Event()
        self._outcomes: set[Future[Any]] = set()  # of those who wait in ``do``
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Messages that found the queue full."""
        return self._dropped

    @property
    def lost(self) -> int:
        """Rows that could not be written in time."""
        return self._recorder.lost

    def __call__(self, message: Message) -> None:
        """Take a message; never waits for the file and never raises."""
        if message.get("type") == "spectrum" or self._closing.is_set():
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            with self._counting:
                self._dropped += 1

    def execute(self, work: Callable[[HistoryRecorder], T]) -> T:
        """Have something done on the history's thread, all that came before being written, and wait.

        The file belongs to that thread: SQLite's locks are the process's, and would be lost with the first
        handle of it that another thread closes.

        Raises
        ------
        HistoryError
            The thread does not come to it, or has ended.
        Exception
            What ``work`` raises.
        """
        outcome: Future[T] = Future()

        def job() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                self._recorder.flush(self._dropped)
                outcome.set_result(work(self._recorder))
            except BaseException as error:
                outcome.set_exception(error)

        self._outcomes.add(outcome)
        try:
            if self._closing.is_set():
                outcome.cancel()
            self._queue.put(job, timeout=ANSWER_SECONDS)
            return outcome.result(ANSWER_SECONDS)
        except CancelledError as error:
            raise HistoryError("the history is closed: the analyzer stops") from error
        except (queue.Full, TimeoutError) as error:
            if not outcome.cancel() and outcome.done():
                raise
            raise HistoryError(
                f"the history {self._recorder.store.path} is busy for more than {ANSWER_SECONDS:.0f} s; "
                "look whether its disk is full or slow, and try again"
            ) from error
        finally:
            self._outcomes.discard(outcome)

    def close(self) -> None:
        """Write what is left and end; after ``CLOSE_SECONDS`` without the file's consent."""
        self._closing.set()
        with contextlib.suppress(queue.Full):  # then the thread is awake in any case
            self._queue.put_nowait(None)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            logger.warning("the history is still being written; what is not written yet is lost")

    def _run(self) -> None:
        """Thread body; a fault of ours ends the record with a line, and the analysis goes on."""
        try:
            self._record()
        except Exception:
            self._closing.set()
            logger.exception("internal error; the history ends here")
        finally:
            for outcome in list(self._outcomes):
                outcome.cancel()

    def _record(self) -> None:
        """Messages as they come, the file every ``flush_seconds``."""
        due = self._clock.monotonic()
        while not (self._closing.is_set() and self._queue.empty()):
            with contextlib.suppress(queue.Empty):
                message = self._queue.get(timeout=self._flush_seconds)
                if callable(message):
                    message()
                elif message is not None:
                    self._recorder.add(message)
            if self._clock.monotonic() >= due and not self._closing.is_set():
                self._recorder.flush(self._dropped)
                due = self._clock.monotonic() + self._flush_seconds
        self._recorder.close(self._dropped)
