"""The SQLite file that the history lies in: rows of ``segments`` written, damaged files set aside.

Several programs may write one file at once, but one program must open it once: SQLite's locks belong to
the process. Nothing here knows of threads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from models.common.text import storable
from realtime.history.errors import HistoryDeletedError, HistoryError
from realtime.history.schema import APPLICATION_ID, TABLES, VERSION, file_version, migrate
from realtime.history.segments import Event, Heartbeat, Row

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_SECONDS = 2.0

T = TypeVar("T")


def check_header(path: Path, *, to_write: bool = False) -> None:
    """Read the file's first bytes, without SQLite, which would leave files beside it.

    Parameters
    ----------
    path : Path
    to_write : bool
        Whether it must be writable too. SQLite would open it for reading only, and make -wal and -shm
        that stay unwritable when the file has become writable.

    Raises
    ------
    HistoryError
        It is another program's database, or of a newer version of this one.
    sqlite3.DatabaseError
        It is no database.
    OSError
        It cannot be opened.
    """
    with path.open("r+b" if to_write else "rb") as file:
        header = file.read(100)  # https://www.sqlite.org/fileformat2.html#the_database_header
    if not header:
        return
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        error = sqlite3.DatabaseError("file is not a database")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise error
    version, application = (int.from_bytes(header[at : at + 4], "big") for at in (60, 68))
    if application != APPLICATION_ID:
        raise HistoryError(f"{path} is a database of another program; name another file for the history")
    check_version(path, version)


def check_version(path: Path, version: int) -> None:
    """Refuse a file that a newer program has begun or changed.

    Raises
    ------
    HistoryError
        As above.
    """
    if version > VERSION:
        raise HistoryError(
            f"the history {path} has version {version}, and this program knows up to {VERSION}; "
            "update Overheard or name another file"
        )


class HistoryStore:
    """The file, for one thread; opened when there is something to write, and again after a fault.

    Parameters
    ----------
    path : Path
    model, model_version : str
        Noted with every session.
    busy_seconds : float
        How long to wait for another program's write.
    file_of : callable
        From a source's name and the session's beginning (Unix seconds) to the absolute path of the file
        that is played, empty where it is none.
    """

    def __init__(
        self,
        path: Path,
        model: str = "",
        model_version: str = "",
        busy_seconds: float = BUSY_TIMEOUT_SECONDS,
        file_of: Callable[[str, float], str] = lambda _source, _started: "",
    ) -> None:
        self.path = path
        self._model = (model, model_version)
        self._busy_seconds = busy_seconds
        self._file_of = file_of
        self._written: set[str] = set()  # keys of the sessions that are in the file
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection to read from, where the file is open; nobody here may open it a second time."""
        return self._connection if self._identity == self._present() else None

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, all or none; one that was written before is brought up to date.

        Raises
        ------
        HistoryError
            The file is not ours to write.
        HistoryDeletedError
            Sessions that were written before are gone from the file.
        sqlite3.Error, OSError
            It cannot be written now. Nothing was, and the next call starts afresh.
        """
        rows = list(rows)

        def write(connection: sqlite3.Connection) -> None:
            for row in rows:
                self._write_row(connection, row)

        self.change(write)
        self._written.update(row.session.key for row in rows)

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something within a transaction; what it raises undoes all of it.

        Raises
        ------
        HistoryError, sqlite3.Error, OSError
            As ``write`` does, or ``work``.
        """
        try:
            connection = self._ready()
            connection.execute("BEGIN IMMEDIATE")
            check_version(self.path, file_version(connection))  # a newer program may have migrated the file
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise
        return result

    def delete_all(self) -> bool:
        """Delete every row, so that nothing of it stays in the file or beside it.

        The file itself stays: another program may have it open, and would go on writing to a deleted one.
        Numbers of sessions are not given a second time.

        Returns
        -------
        bool
            Whether the disk is rid of it already; otherwise another program still reads, and it is once
            that program and this one are done.

        Raises
        ------
        HistoryError, sqlite3.Error, OSError
            As ``write`` does.
        """

        def delete(connection: sqlite3.Connection) -> sqlite3.Connection:
            connection.execute("PRAGMA secure_delete = ON")  # of this connection; overwritten with zeros
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")
            return connection

        connection = self.change(delete)
        self._written.clear()
        try:
            connection.execute("VACUUM")
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            logger.warning("the history %s could not be made smaller: %s", self.path, error)
            return False
        finally:
            self.close()
        return not busy

    def close(self) -> None:
        """Close the file; what was written stays."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # a full disk complains about the last checkpoint too
                connection.close()

    def quarantine(self, unix: float) -> Path | None:
        """Move a damaged file and what SQLite keeps beside it out of the way, under a name that is free.

        Returns
        -------
        Path or None
            Where the file is now; None when another program has moved it already.

        Raises
        ------
        OSError
            It cannot be moved.
        """
        self.close()
        if self._present() != self._identity:
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(unix))
        aside, number = self.path.with_name(f"{self.path.name}.damaged-{stamp}"), 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}-{number}")
        for suffix in ("-wal", "-shm"):  # first: a new file must not find them
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        return self.path.rename(aside)

    def _ready(self) -> sqlite3.Connection:
        """The connection; a new one when the file that it writes is no longer the one of that name."""
        if self._connection is not None:
            if self._identity == self._present():
                return self._connection
            logger.warning("the history %s was moved or deleted; it is begun anew", self.path)
            self.close()
            self._written.clear()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # private from the start; -wal and -shm get its mode
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._written.clear()
        before, self._identity = self._identity, self._present()
        if self._identity != before:
            self._written.clear()
        check_header(self.path, to_write=True)
        connection = sqlite3.connect(self.path, self._busy_seconds, isolation_level=None)
        connection.row_factory = sqlite3.Row
        self._connection = connection
        connection.execute("BEGIN IMMEDIATE")
        check_version(
            self.path, file_version(connection)
        )  # a newer program's change may not have reached the header yet
        migrate(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _present(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            status = self.path.stat()
            return status.st_dev, status.st_ino
        return (0, 0)

    def _write_row(self, connection: sqlite3.Connection, row: Row) -> None:
        """By the session's key: its number may be another one in a file that was begun anew."""
        session = row.session
        begun = connection.execute(  # not ON CONFLICT, which uses up a number each time
            "INSERT INTO sessions (key, source, model, model_version, started, last_seen_at) "
            "SELECT ?1, ?2, ?3, ?4, ?5, ?5 WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE key = ?1)",
            (session.key, storable(session.source), *self._model, session.started),
        )
        if begun.rowcount > 0 and session.key in self._written:
            raise HistoryDeletedError
        if isinstance(row, Heartbeat):
            values: tuple[Any, ...] = (row.at, row.at if row.over else None, session.key)
            connection.execute("UPDATE sessions SET last_seen_at = ?, ended = ? WHERE key = ?", values)
        elif isinstance(row, Event):
            _put(connection, "events", session.key, row.number, row.at, row.kind, storable(row.detail))
        else:
            _put(
                connection, "segments", session.key, row.number, row.genre, row.state, row.started,
                row.ended, row.seconds, row.confidence, row.estimates,
            )  # fmt: skip
            file = self._file_of(session.source, session.started)
            _put(connection, "segment_audio", session.key, row.number, row.from_seconds, row.to_seconds, file)


def _put(connection: sqlite3.Connection, table: str, key: str, *values: object) -> None:
    places = ", ?" * len(values)
    connection.execute(
        f"INSERT OR REPLACE INTO {table} SELECT id{places} FROM sessions WHERE key = ?", (*values, key)
    )
