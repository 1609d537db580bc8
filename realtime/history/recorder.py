"""Rows on their way from messages to the history's file, and what to do while it cannot be written."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque

from realtime.clock import Clock
from realtime.history.errors import DAMAGE_CODES, HistoryDeletedError, HistoryError, code, reason, remedy
from realtime.history.segments import Row, SegmentBuilder
from realtime.history.store import HistoryStore
from realtime.protocol.messages import Message

logger = logging.getLogger(__name__)

WARNING_SECONDS = 60.0

MAX_WAITING_ROWS = 5_000
"""Held in memory while the file cannot be written; beyond them the oldest is lost and counted."""


class HistoryRecorder:
    """Rows on their way to the file, for one thread.

    Parameters
    ----------
    store : HistoryStore
    clock : Clock
    """

    def __init__(self, store: HistoryStore, clock: Clock) -> None:
        self.lost = 0
        self.store = store
        self._clock = clock
        self._fold = SegmentBuilder()
        self._waiting: deque[Row] = deque()
        self._refused = False
        self._warned = float("-inf")
        self._in_trouble = False
        self._told_dropped = 0

    def add(self, message: Message) -> None:
        """Take a message in; nothing is written yet."""
        self._waiting.extend(self._fold.add(message))
        while len(self._waiting) > MAX_WAITING_ROWS:
            self._waiting.popleft()
            self.lost += 1

    def flush(self, dropped: int = 0) -> None:
        """Write what waits and what is open; a fault is told, and what waits goes on waiting.

        Parameters
        ----------
        dropped : int
            Messages that were dropped before they came here, for the warning.
        """
        if self._refused:
            self.lost += len(self._waiting)
            self._waiting.clear()
            return
        rows = [*self._waiting, *self._fold.open_rows(self._unix())]
        if not rows:
            return
        try:
            self._write(rows)
        except HistoryError as error:
            self._refused = True
            logger.warning("%s; nothing is recorded", error)
        except (sqlite3.Error, OSError) as error:
            self._in_trouble = True
            self._warn(
                f"the history {self.store.path} cannot be written: {reason(error)}; {remedy(error)} "
                f"({len(self._waiting)} rows wait, {self.lost} and {dropped} messages were lost; "
                "it is tried again)"
            )
        else:
            self._waiting.clear()
            if self._in_trouble:
                logger.info("the history %s is written again; %d rows were lost", self.store.path, self.lost)
            self._in_trouble = False
            if dropped > self._told_dropped:
                self._told_dropped = dropped
                self._warn(f"the history's disk is slow: {dropped} messages were dropped so far")

    def close(self, dropped: int = 0) -> None:
        """End all sessions, write for the last time, and let the file go."""
        self._waiting.extend(self._fold.finish())
        self.flush(dropped)
        self.lost += len(self._waiting)
        if self._waiting:
            logger.warning("the history lost %d rows that could not be written any more", len(self._waiting))
        self.store.close()

    def restart(self) -> None:
        """The file was emptied: what was heard before this moment is not written any more."""
        self._waiting.clear()
        self._fold.restart(self._unix())

    def _write(self, rows: list[Row]) -> None:
        try:
            self.store.write(rows)
        except HistoryDeletedError:
            self.restart()
            logger.info("the history %s was emptied by another program; it is begun anew", self.store.path)
        except sqlite3.DatabaseError as error:
            if code(error) not in DAMAGE_CODES:
                raise
            aside = self.store.quarantine(self._unix())
            if aside is not None:
                logger.warning(
                    "the history %s is damaged (%s); it is kept as %s and a new one begun",
                    self.store.path, error, aside.name,
                )  # fmt: skip
            self.store.write(rows)

    def _warn(self, sentence: str) -> None:
        now = self._clock.monotonic()
        if now - self._warned >= WARNING_SECONDS:
            self._warned = now
            logger.warning("%s", sentence)

    def _unix(self) -> float:
        return self._clock.unix(self._clock.monotonic())
