"""Daily search quota, counted in an SQLite file that all processes share."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.recommendations.providers.base import Clock

MAX_SEARCHES_PER_DAY: Final = 100
"""Searches a day. Since 2026-06-01 YouTube counts ``search.list`` separately from other requests."""

RESET_ZONE: Final = "America/Los_Angeles"
"""Time zone at whose midnight YouTube resets the quota."""

LOCK_TIMEOUT_SECONDS: Final = 1.0
"""Seconds that another process may lock the file before this process counts on its own."""

log = logging.getLogger(__name__)


def pacific_zone(name: str = RESET_ZONE) -> tzinfo:
    """Return the zone, or UTC-8 if the system has no time zone data. UTC-8 is an hour late in summer."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        log.warning(
            "This system has no time zone %s: in summer the count of YouTube's searches resets an hour late. "
            "Install tzdata with `pip install tzdata`.",
            name,
        )
        return timezone(timedelta(hours=-8))


class DailyQuota:
    """Number of searches until midnight in Los Angeles. Thread-safe.

    A damaged file is replaced. If the file cannot be used (a full disk), this process counts its searches
    from the last known number, and adds them to the file as soon as it can be written. Both cases are logged.

    Parameters
    ----------
    path : Path
        SQLite file. A missing file is created with access for its owner only.
    clock : Clock
    searches : int
        Searches a day.
    zone : tzinfo, optional
        Time zone whose midnight resets the quota.
    """

    def __init__(
        self, path: Path, clock: Clock, searches: int = MAX_SEARCHES_PER_DAY, *, zone: tzinfo | None = None
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._searches = searches
        self._zone = pacific_zone() if zone is None else zone
        self._lock = threading.Lock()
        self._counted: dict[date, int] = {}
        self._unwritten: dict[date, int] = {}
        self._warned = False

    @property
    def left(self) -> int:
        """Number of searches that are left today."""
        return max(0, self._searches - self._add(0))

    def take(self, reserved: int = 0) -> bool:
        """Count one search and return True, or return False if ``reserved`` or fewer are left."""
        limit = self._searches - reserved
        return self._add(1, limit) < limit

    def give_back(self) -> None:
        """Return one search to the quota, because the request was not sent."""
        self._add(-1)

    def exhaust(self) -> None:
        """Count all of today's searches as used, because the service reports an exhausted quota."""
        self._add(self._searches)

    def resets_at(self) -> datetime:
        """Return the next midnight in UTC. Clock changes do not affect it, since they happen at 2 o'clock."""
        tomorrow = self._today() + timedelta(days=1)
        local = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=self._zone)
        return local.astimezone(UTC)

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    def _add(self, change: int, limit: int | None = None) -> int:
        """Add to the number of searches used today, within 0..``searches``, and return the number before.

        Nothing is added if ``limit`` or more are used.
        """
        today = self._today()
        with self._lock:
            for attempt in range(2):
                try:
                    with self._locked_file() as connection:
                        stored = self._read_used(connection, today)
                        used = min(max(stored + self._unwritten.get(today, 0), 0), self._searches)
                        self._counted = {today: used}
                        after = self._used_after(used, change, limit)
                        if after != stored:
                            connection.execute("DELETE FROM days WHERE day != ?", (today.isoformat(),))
                            connection.execute("REPLACE INTO days VALUES (?, ?)", (today.isoformat(), after))
                    self._counted, self._unwritten = {today: after}, {}
                    return used
                except (sqlite3.OperationalError, OSError) as error:
                    self._warn_once("cannot be used, so only this process's searches are counted", error)
                    break
                except sqlite3.Error as error:
                    self._warn_once("is damaged, so today's searches are counted from 0 again", error)
                    if attempt:
                        break
                    with suppress(OSError):
                        self._path.unlink()
            used = self._counted.get(today, 0)
            after = self._used_after(used, change, limit)
            self._counted = {today: after}
            self._unwritten = {today: self._unwritten.get(today, 0) + after - used}
            return used

    def _used_after(self, used: int, change: int, limit: int | None) -> int:
        return used if limit is not None and used >= limit else min(max(used + change, 0), self._searches)

    @contextmanager
    def _locked_file(self) -> Iterator[sqlite3.Connection]:
        """Open the file and lock it for this process until all is written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with suppress(OSError):
            self._path.chmod(0o600)
        with closing(sqlite3.connect(self._path, LOCK_TIMEOUT_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, used INTEGER)")
            yield connection
            connection.execute("COMMIT")

    @staticmethod
    def _read_used(connection: sqlite3.Connection, today: date) -> int:
        try:
            row = connection.execute("SELECT used FROM days WHERE day = ?", (today.isoformat(),)).fetchone()
        except sqlite3.OperationalError as error:  # the table has other columns
            raise sqlite3.DatabaseError(str(error)) from error
        if row is None:
            return 0
        if type(row[0]) is not int or row[0] < 0:
            raise sqlite3.DatabaseError(f"{row[0]!r:.40} searches were counted")
        return int(row[0])

    def _warn_once(self, problem: str, error: Exception) -> None:
        """Log a problem with the file once, since it recurs at every search."""
        if not self._warned:
            log.warning("The file of YouTube's daily quota, %s, %s: %s", self._path, problem, error)
            self._warned = True
