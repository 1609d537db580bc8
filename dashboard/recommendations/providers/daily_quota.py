"""How many searches are left today, counted in a file, for every process that uses it."""

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

SEARCHES_A_DAY: Final = 100
"""YouTube's own bucket for search.list since 2026-06-01."""

ZONE: Final = "America/Los_Angeles"
"""Where YouTube's day ends at midnight."""

LOCKED_SECONDS: Final = 1.0
"""How long another process may hold the file before this one counts by itself."""

log = logging.getLogger(__name__)


def pacific_date(name: str = ZONE) -> tzinfo:
    """The time zone; where the system has no table of zones UTC-8, which in summer is an hour late."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        log.warning(
            "This system has no time zone %s: in summer YouTube's searches are counted anew an hour late. "
            "`pip install tzdata` mends it.",
            name,
        )
        return timezone(timedelta(hours=-8))


class DailyQuota:
    """Searches that are left until midnight in Los Angeles. Any thread may call.

    A file that cannot be used is told of in the log; a broken one is begun anew, and with one that
    cannot be written the searches of this process alone are counted.

    Parameters
    ----------
    path : Path
        An SQLite file, made where it is missing; nobody else may read it.
    clock : Clock
    searches : int
        How many a day has.
    zone : tzinfo, optional
        Whose midnight it is.
    """

    def __init__(
        self, path: Path, clock: Clock, searches: int = SEARCHES_A_DAY, *, zone: tzinfo | None = None
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._searches = searches
        self._zone = pacific_date() if zone is None else zone
        self._lock = threading.Lock()
        self._own: dict[date, int] = {}
        self._told = False

    @property
    def left(self) -> int:
        """How many may still be taken."""
        return max(0, self._searches - self._change(0))

    def take(self, keep: int = 0) -> bool:
        """Count one, unless ``keep`` or fewer are left."""
        most = self._searches - keep
        return self._change(1, most) < most

    def give_back(self) -> None:
        """Count one less: what was taken was not sent."""
        self._change(-1)

    def exhaust(self) -> None:
        """Count all of today's: the service says that none is left, whoever used them."""
        self._change(self._searches)

    def resets_at(self) -> datetime:
        """The next midnight, in UTC; it falls into no change between summer and winter, those are at 2."""
        tomorrow = self._today() + timedelta(days=1)
        local = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=self._zone)
        return local.astimezone(UTC)

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    def _change(self, by: int, most: int | None = None) -> int:
        """Add to what is used today within 0..searches, unless ``most`` are; how many were before."""
        today = self._today()
        with self._lock:
            for attempt in range(2):
                try:
                    with self._file() as connection:
                        used = self._stored(connection, today)
                        after = self._after(used, by, most)
                        if after != used:
                            connection.execute("DELETE FROM days WHERE day != ?", (today.isoformat(),))
                            connection.execute("REPLACE INTO days VALUES (?, ?)", (today.isoformat(), after))
                    self._own = {today: after}
                    return used
                except (sqlite3.OperationalError, OSError) as error:
                    self._tell("cannot be used, only this process's searches are counted", error)
                    break
                except sqlite3.Error as error:
                    self._tell("is broken, today's searches are counted from 0 again", error)
                    if attempt:
                        break
                    with suppress(OSError):
                        self._path.unlink()
            used = self._own.get(today, 0)
            self._own = {today: self._after(used, by, most)}
            return used

    def _after(self, used: int, by: int, most: int | None) -> int:
        return used if most is not None and used >= most else min(max(used + by, 0), self._searches)

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """The file, held for this process alone until all is written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with suppress(OSError):
            self._path.chmod(0o600)
        with closing(sqlite3.connect(self._path, LOCKED_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, used INTEGER)")
            yield connection
            connection.execute("COMMIT")

    @staticmethod
    def _stored(connection: sqlite3.Connection, today: date) -> int:
        try:
            row = connection.execute("SELECT used FROM days WHERE day = ?", (today.isoformat(),)).fetchone()
        except sqlite3.OperationalError as error:  # the table has other columns
            raise sqlite3.DatabaseError(str(error)) from error
        if row is None:
            return 0
        if type(row[0]) is not int or row[0] < 0:
            raise sqlite3.DatabaseError(f"{row[0]!r:.40} searches were counted")
        return int(row[0])

    def _tell(self, what: str, error: Exception) -> None:
        """Once: the same happens at every search."""
        if not self._told:
            log.warning("The file of YouTube's day budget, %s, %s: %s", self._path, what, error)
            self._told = True
