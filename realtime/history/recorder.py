"""Convert messages to rows and write them, with a bounded backlog while the file cannot be written."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque

from realtime.clock import Clock, unix_now
from realtime.history.errors import (
    DAMAGE_CODES,
    HistoryDeletedError,
    HistoryError,
    describe_error,
    sqlite_error_code,
    suggest_remedy,
)
from realtime.history.segments import Row, SegmentBuilder
from realtime.history.store import HistoryStore
from realtime.protocol.messages import Message

logger = logging.getLogger(__name__)

WARNING_SECONDS = 60.0
"""Minimum seconds between two warnings."""

MAX_WAITING_ROWS = 5_000
"""Rows held in memory while the file cannot be written. If there are more, the oldest are lost."""


class HistoryRecorder:
    """Recorder of the messages of all sources, to be used on one thread.

    Parameters
    ----------
    store : HistoryStore
    clock : Clock

    Attributes
    ----------
    lost : int
        Rows that could not be written.
    store : HistoryStore
    """

    def __init__(self, store: HistoryStore, clock: Clock) -> None:
        self.lost = 0
        self.store = store
        self._clock = clock
        self._builder = SegmentBuilder()
        self._waiting: deque[Row] = deque()
        self._refused = False
        self._warned_at = float("-inf")
        self._failing = False
        self._reported_drops = 0

    def add(self, message: Message) -> None:
        """Convert a message to rows, which the next ``flush`` writes."""
        self._waiting.extend(self._builder.add(message))
        while len(self._waiting) > MAX_WAITING_ROWS:
            self._waiting.popleft()
            self.lost += 1

    def flush(self, dropped: int = 0) -> None:
        """Write the waiting rows and the unfinished segments.

        If the file cannot be written, the fault is logged and the rows wait for the next call. If the file
        belongs to another program or a newer version, this call and later ones discard the rows.

        Parameters
        ----------
        dropped : int
            Messages dropped so far before they reached this object, for the warning.
        """
        if self._refused:
            self.lost += len(self._waiting)
            self._waiting.clear()
            return
        rows = [*self._waiting, *self._builder.open_rows(unix_now(self._clock))]
        if not rows:
            return
        try:
            self._write(rows)
        except HistoryError as error:
            self._refused = True
            logger.warning("%s; the history is not recorded", error)
        except (sqlite3.Error, OSError) as error:
            self._failing = True
            self._warn(
                f"the history {self.store.path} cannot be written: {describe_error(error)}; "
                f"{suggest_remedy(error)} (retrying; waiting rows: {len(self._waiting)}, "
                f"lost rows: {self.lost}, dropped messages: {dropped})"
            )
        else:
            self._waiting.clear()
            if self._failing:
                logger.info("the history %s can be written again; lost rows: %d", self.store.path, self.lost)
            self._failing = False
            if dropped > self._reported_drops:
                self._reported_drops = dropped
                self._warn(f"the disk of the history is too slow; dropped messages: {dropped}")

    def close(self, dropped: int = 0) -> None:
        """End all sessions, write the last rows and close the file."""
        self._waiting.extend(self._builder.finish())
        self.flush(dropped)
        self.lost += len(self._waiting)
        if self._waiting:
            logger.warning("the history could not be written; lost rows: %d", len(self._waiting))
        self.store.close()

    def restart(self) -> None:
        """Start new sessions after the file was emptied, and discard the waiting rows."""
        self._waiting.clear()
        self._builder.restart(unix_now(self._clock))

    def _write(self, rows: list[Row]) -> None:
        try:
            self.store.write(rows)
        except HistoryDeletedError:
            self.restart()
            logger.info("another program emptied the history %s; new sessions start", self.store.path)
        except sqlite3.DatabaseError as error:
            if sqlite_error_code(error) not in DAMAGE_CODES:
                raise
            quarantined = self.store.quarantine(unix_now(self._clock))
            if quarantined is not None:
                logger.warning(
                    "the history %s is damaged (%s); it was renamed to %s, and a new history was created",
                    self.store.path, error, quarantined.name,
                )  # fmt: skip
            self.store.write(rows)

    def _warn(self, text: str) -> None:
        now = self._clock.monotonic()
        if now - self._warned_at >= WARNING_SECONDS:
            self._warned_at = now
            logger.warning("%s", text)
