"""Write the SQLite file of the history in transactions, and quarantine a damaged file.

Several programs may write one file at once. A program must open the file only once, since the locks of
SQLite belong to the process. This module starts no threads.
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

from models.common.text import replace_surrogates
from realtime.history.errors import HistoryDeletedError, HistoryError
from realtime.history.schema import APPLICATION_ID, TABLES, TAG_SEPARATOR, VERSION, file_version, migrate
from realtime.history.segments import Event, Heartbeat, Row

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 2.0
"""Seconds to wait while another program writes. After that, a write of this program fails."""

HEADER_BYTES = 100
"""Length of the header of a database, https://www.sqlite.org/fileformat2.html#the_database_header."""


def check_header(path: Path, *, to_write: bool = False) -> None:
    """Read the header of the file without SQLite, which would leave files beside it.

    Parameters
    ----------
    path : Path
    to_write : bool
        Require that the file is writable. SQLite would open a read-only file nevertheless, and create -wal
        and -shm files that stay read-only after the file itself has become writable.

    Raises
    ------
    HistoryError
        If the file is the database of another program, or of a newer version of this program.
    sqlite3.DatabaseError
        If the file is not a database.
    OSError
        If the file cannot be opened.
    """
    with path.open("r+b" if to_write else "rb") as file:
        header = file.read(HEADER_BYTES)
    if not header:
        return
    if len(header) < HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        error = sqlite3.DatabaseError("file is not a database")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise error
    version, application = (int.from_bytes(header[start : start + 4], "big") for start in (60, 68))
    if application != APPLICATION_ID:
        raise HistoryError(f"{path} is a database of another program; name another file for the history")
    check_version(path, version)


def check_version(path: Path, version: int) -> None:
    """Reject a file that a newer version of this program created or migrated.

    Raises
    ------
    HistoryError
        If ``version`` is above ``VERSION``.
    """
    if version > VERSION:
        raise HistoryError(
            f"the history {path} has version {version}, and this program supports versions up to {VERSION}; "
            "update Overheard or name another file"
        )


class HistoryStore:
    """Writer of one history file, to be used on one thread.

    The file is opened at the first write, and again after a fault.

    Parameters
    ----------
    path : Path
    model, model_version : str
        Recorded with every session.
    busy_seconds : float
        Seconds to wait while another program writes.
    played_file : callable
        Function of the name of a source and the start of a session (Unix seconds). It returns the absolute
        path of the file that the source plays, or an empty text.
    """

    def __init__(
        self,
        path: Path,
        model: str = "",
        model_version: str = "",
        busy_seconds: float = BUSY_TIMEOUT_SECONDS,
        played_file: Callable[[str, float], str] = lambda _source, _started: "",
    ) -> None:
        self.path = path
        self._model = (model, model_version)
        self._busy_seconds = busy_seconds
        self._played_file = played_file
        self._written: set[str] = set()  # keys of the sessions in the file
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    @property
    def connection(self) -> sqlite3.Connection | None:
        """Open connection to read from, or None. This program must not open the file a second time."""
        return self._connection if self._identity == self._current_identity() else None

    def write(self, rows: Iterable[Row]) -> None:
        """Write all rows or none. Rows that were written before are updated.

        Raises
        ------
        HistoryError
            If the file belongs to another program or a newer version.
        HistoryDeletedError
            If another program deleted sessions that were written before.
        sqlite3.Error, OSError
            If the file cannot be written now. The next call opens the file again.
        """
        rows = list(rows)

        def write_rows(connection: sqlite3.Connection) -> None:
            for row in rows:
                self._write_row(connection, row)

        self.run_transaction(write_rows)
        self._written.update(row.session.key for row in rows)

    def run_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call ``work`` within a transaction, which an exception rolls back.

        Raises
        ------
        HistoryError
            If the file belongs to another program or a newer version.
        sqlite3.Error, OSError
            If the file cannot be written now. The next call opens the file again.
        Exception
            If ``work`` raises it.
        """
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            # A newer program may have migrated the file since this program opened it.
            check_version(self.path, file_version(connection))
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise
        return result

    def delete_rows(self) -> None:
        """Delete all rows and overwrite them with zeros. ``compact`` then removes them from the log.

        The file itself stays, since another program may have it open and would continue to write to a deleted
        file. Session numbers are not reused.

        Raises
        ------
        HistoryError
            If the file belongs to another program or a newer version.
        sqlite3.Error, OSError
            If the file cannot be written. In this case no row is deleted.
        """

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA secure_delete = ON")  # of this connection
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")

        self.run_transaction(delete)
        self._written.clear()

    def compact(self) -> bool:
        """Shrink the file after ``delete_rows``, empty its write-ahead log, and close the file.

        On a disk without room to shrink the file, the file keeps its size and holds zeros.

        Returns
        -------
        bool
            False if another program still reads the deleted rows. They leave the disk when that program and
            this one have closed the file.

        Raises
        ------
        HistoryError
            If the file belongs to another program or a newer version.
        sqlite3.Error, OSError
            If the log cannot be emptied.
        """
        try:
            connection = self._open()
            try:
                connection.execute("VACUUM")
            except sqlite3.Error as error:
                logger.warning("the history %s could not be shrunk: %s", self.path, error)
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.close()
        return not busy

    def close(self) -> None:
        """Close the file. The next write opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # on a full disk the last checkpoint fails
                connection.close()

    def quarantine(self, unix: float) -> Path | None:
        """Rename a damaged file, and SQLite's files beside it, to a free name.

        Returns
        -------
        Path or None
            New path of the file. None if another program has moved the file already.

        Raises
        ------
        OSError
            If the file cannot be renamed.
        """
        self.close()
        if self._current_identity() != self._identity:
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(unix))
        target, number = self.path.with_name(f"{self.path.name}.damaged-{stamp}"), 1
        while target.exists():
            number += 1
            target = self.path.with_name(f"{self.path.name}.damaged-{stamp}-{number}")
        for suffix in ("-wal", "-shm"):  # first, since a new database must not find them
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{target}{suffix}")
        return self.path.rename(target)

    def _open(self) -> sqlite3.Connection:
        """Return the connection. Open a new connection if the file was moved, deleted or replaced."""
        if self._connection is not None:
            if self._identity == self._current_identity():
                return self._connection
            logger.warning("the history %s was moved or deleted; a new history is created", self.path)
            self.close()
            self._written.clear()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(
            FileExistsError
        ):  # private from the start, since -wal and -shm get this mode
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._written.clear()
        previous, self._identity = self._identity, self._current_identity()
        if self._identity != previous:
            self._written.clear()
        check_header(self.path, to_write=True)
        connection = sqlite3.connect(self.path, self._busy_seconds, isolation_level=None)
        connection.row_factory = sqlite3.Row
        self._connection = connection
        connection.execute("BEGIN IMMEDIATE")
        # The migration of a newer program may still be in the log, not in the header.
        check_version(self.path, file_version(connection))
        migrate(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _current_identity(self) -> tuple[int, int]:
        """Return device and inode of the file at the path, or zeros if there is no file."""
        with contextlib.suppress(OSError):
            status = self.path.stat()
            return status.st_dev, status.st_ino
        return (0, 0)

    def _write_row(self, connection: sqlite3.Connection, row: Row) -> None:
        """Write a row. Sessions are looked up by key, since their numbers change when a file is recreated."""
        session = row.session
        inserted = connection.execute(  # ON CONFLICT would use up a number each time
            "INSERT INTO sessions (key, source, model, model_version, started, last_seen_at) "
            "SELECT ?1, ?2, ?3, ?4, ?5, ?5 WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE key = ?1)",
            (session.key, replace_surrogates(session.source), *self._model, session.started),
        )
        if inserted.rowcount > 0 and session.key in self._written:
            raise HistoryDeletedError
        if isinstance(row, Heartbeat):
            values: tuple[Any, ...] = (row.at, row.at if row.ended else None, session.key)
            connection.execute("UPDATE sessions SET last_seen_at = ?, ended = ? WHERE key = ?", values)
        elif isinstance(row, Event):
            detail = replace_surrogates(row.detail)
            _replace(connection, "events", session.key, row.number, row.occurred_at, row.kind, detail)
        else:
            _replace(
                connection, "segments", session.key, row.number, row.genre, row.state, row.started,
                row.ended, row.seconds, row.confidence, row.estimates,
                replace_surrogates(TAG_SEPARATOR.join(row.tags)),
            )  # fmt: skip
            _replace(
                connection, "segment_audio", session.key, row.number, row.from_seconds, row.to_seconds,
                self._played_file(session.source, session.started),
            )  # fmt: skip


def _replace(connection: sqlite3.Connection, table: str, key: str, *values: object) -> None:
    """Insert or update the row of a session's segment or event."""
    parameters = ", ?" * len(values)
    connection.execute(
        f"INSERT OR REPLACE INTO {table} SELECT id{parameters} FROM sessions WHERE key = ?", (*values, key)
    )
