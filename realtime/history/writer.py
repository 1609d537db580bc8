"""Record messages in the history on a separate thread, behind a bounded queue."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from realtime.clock import Clock
from realtime.history.errors import HistoryError
from realtime.history.recorder import HistoryRecorder
from realtime.history.store import BUSY_TIMEOUT_SECONDS, HistoryStore
from realtime.protocol.messages import Message, SpectrumMessage

logger = logging.getLogger(__name__)

T = TypeVar("T")

FLUSH_SECONDS = 5.0
"""Interval of writes to the file. A crash of the program loses at most the rows of this time."""

CLOSE_TIMEOUT_SECONDS = 5.0
"""Seconds to wait for the last write at the end of the program. Rows not written by then are lost."""

MAX_QUEUED_MESSAGES = 2_000
"""Messages that wait for the thread. If the queue is full, new messages are dropped and counted."""

EXECUTE_TIMEOUT_SECONDS = 15.0
"""Seconds to wait for work on the thread. After that, the caller gets an error."""

Job: TypeAlias = Callable[[], None]


class HistoryWriter:
    """Message consumer that records sessions in the history, on a separate thread.

    Parameters
    ----------
    path : Path
        File of the history. A missing file or folder is created for this user only.
    clock : Clock
    model, model_version : str
        Recorded with every session.
    flush_seconds : float
        Interval of writes.
    busy_seconds : float
        Seconds to wait while another program writes.
    played_file : callable
        See ``HistoryStore``.
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
        played_file: Callable[[str, float], str] = lambda _source, _started: "",
    ) -> None:
        self._clock = clock
        self._flush_seconds = flush_seconds
        store = HistoryStore(path, model, model_version, busy_seconds, played_file)
        self._recorder = HistoryRecorder(store, clock)
        self._queue: queue.Queue[Message | Job | None] = queue.Queue(MAX_QUEUED_MESSAGES)
        self._dropped_lock = threading.Lock()
        self._dropped = 0
        self._closing = threading.Event()
        self._pending: set[Future[Any]] = set()  # results that callers of ``execute`` wait for
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Number of messages dropped because the queue was full."""
        return self._dropped

    @property
    def lost(self) -> int:
        """Number of rows that could not be written."""
        return self._recorder.lost

    def consume(self, message: Message) -> None:
        """Queue a message. Any thread may call this method, which neither blocks nor raises."""
        if isinstance(message, SpectrumMessage) or self._closing.is_set():
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            with self._dropped_lock:
                self._dropped += 1

    def execute(self, work: Callable[[HistoryRecorder], T]) -> T:
        """Call ``work`` on the thread of the history, after all earlier messages are written, and wait.

        The file belongs to that thread. The locks of SQLite belong to the process, and are lost when another
        thread closes its handle of the same file.

        Raises
        ------
        HistoryError
            If the thread is busy for too long, or has ended.
        Exception
            If ``work`` raises it.
        """
        result: Future[T] = Future()

        def job() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                self._recorder.flush(self._dropped)
                result.set_result(work(self._recorder))
            except BaseException as error:
                result.set_exception(error)

        self._pending.add(result)
        try:
            if self._closing.is_set():
                result.cancel()
            self._queue.put(job, timeout=EXECUTE_TIMEOUT_SECONDS)
            return result.result(EXECUTE_TIMEOUT_SECONDS)
        except CancelledError as error:
            raise HistoryError("the history is closed because the analyzer is stopping") from error
        except (queue.Full, TimeoutError) as error:
            if not result.cancel() and result.done():
                raise
            raise HistoryError(
                f"the history {self._recorder.store.path} was busy for more than "
                f"{EXECUTE_TIMEOUT_SECONDS:.0f} s; check whether its disk is full or slow, and try again"
            ) from error
        finally:
            self._pending.discard(result)

    def close(self) -> None:
        """Write the remaining rows and end the thread, within ``CLOSE_TIMEOUT_SECONDS``."""
        self._closing.set()
        with contextlib.suppress(queue.Full):  # a full queue wakes the thread, too
            self._queue.put_nowait(None)
        self._thread.join(CLOSE_TIMEOUT_SECONDS)
        if self._thread.is_alive():
            logger.warning("the last write of the history takes too long; rows not written yet are lost")

    def _run(self) -> None:
        """Run the thread. An internal error is logged and ends the recording, but not the analysis."""
        try:
            self._record()
        except Exception:
            self._closing.set()
            logger.exception("internal error; the history is no longer recorded")
        finally:
            for result in list(self._pending):
                result.cancel()

    def _record(self) -> None:
        """Record messages as they arrive, and write the file every ``flush_seconds``."""
        due = self._clock.monotonic()
        while not (self._closing.is_set() and self._queue.empty()):
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(timeout=self._flush_seconds)
                if callable(item):
                    item()
                elif item is not None:
                    self._recorder.add(item)
            if self._clock.monotonic() >= due and not self._closing.is_set():
                self._recorder.flush(self._dropped)
                due = self._clock.monotonic() + self._flush_seconds
        self._recorder.close(self._dropped)
