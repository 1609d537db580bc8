"""Carry out the clients' requests to the history: read documents, correct labels, delete everything."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from models.manifest import ModelManifest
from realtime.clock import Clock, unix_now
from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.errors import HistoryError, describe_error
from realtime.history.queries import (
    Record,
    UnknownSessionError,
    open_empty_history,
    open_history,
    read_corrections,
    read_session,
    read_sessions,
)
from realtime.history.recorder import HistoryRecorder
from realtime.history.writer import HistoryWriter
from realtime.protocol.requests import DeleteHistory, HistoryControl, Outcome

if TYPE_CHECKING:
    from realtime.history.corrections import LabelCorrections

MAX_ECHOED_LETTERS = 40
"""Letters of an invalid request that the response repeats."""


class HistoryService:
    """Interface of the server to the history.

    Any thread may call the methods. The work is done on the thread of the history, while the caller
    waits.

    Parameters
    ----------
    path : Path
        File of the history.
    writer : HistoryWriter
        Thread that owns the file.
    clock : Clock
    manifest : ModelManifest
        Manifest of the model, whose labels a correction may name.
    audio : RecentAudioBuffer, optional
        Audio of the running sessions.
    """

    def __init__(
        self,
        path: Path,
        writer: HistoryWriter,
        clock: Clock,
        manifest: ModelManifest,
        audio: RecentAudioBuffer | None = None,
    ) -> None:
        self._path = path
        self._writer = writer
        self._clock = clock
        self._manifest = manifest
        self._audio = audio

    def read_document(self, session: str) -> tuple[int, str]:
        """Return a document of the history. The call may take seconds.

        Parameters
        ----------
        session : str
            Number of a session, or an empty text for the list of all sessions, the newest first.

        Returns
        -------
        tuple of int and str
            HTTP status, and JSON with the document or with an ``error`` for people.
        """
        if session and not re.fullmatch(r"\d{1,18}", session, re.ASCII):
            shown = session[:MAX_ECHOED_LETTERS]
            return _response(404, {"error": f"there is no session {shown!r}; use the number of a session"})
        try:
            if session:
                number = int(session)
                document = self._read(
                    lambda connection: read_session(connection, number, unix_now(self._clock))
                )
            else:
                document = {"path": str(self._path)} | self._read(self._list_sessions)
            return _response(200, document)
        except UnknownSessionError as error:
            return _response(404, {"error": str(error)})
        except HistoryError as error:
            return _response(503, {"error": str(error)})

    def handle_control(self, control: HistoryControl) -> Outcome:
        """Correct a segment or delete everything. The call may take seconds.

        Raises
        ------
        HistoryError
            If the control cannot be carried out.
        """
        if isinstance(control, DeleteHistory):
            return self._writer.execute(self._delete_all)

        def correct(recorder: HistoryRecorder) -> Outcome:
            correction = control.session, control.segment, control.genre
            return self._corrections(recorder).correct(*correction, unix_now(self._clock))

        return self._writer.execute(correct)

    def _delete_all(self, recorder: HistoryRecorder) -> Outcome:
        try:
            return self._corrections(recorder).delete_all(unix_now(self._clock))
        finally:  # the rows are deleted even if a clip could not be
            recorder.restart()

    def _corrections(self, recorder: HistoryRecorder) -> LabelCorrections:
        from realtime.history.corrections import LabelCorrections  # most runs correct nothing

        return LabelCorrections(recorder.store, self._manifest, self._audio)

    def _read(self, work: Callable[[sqlite3.Connection], Record]) -> Record:
        """Read on the thread of the history, through the connection of the store if there is one."""

        def read(recorder: HistoryRecorder) -> Record:
            try:
                if recorder.store.connection is not None:
                    return work(recorder.store.connection)
                if not self._path.exists() or not self._path.stat().st_size:
                    with closing(open_empty_history()) as connection:
                        return work(connection)
                with closing(open_history(self._path)) as connection:
                    return work(connection)
            except (sqlite3.Error, OSError) as error:
                raise HistoryError(
                    f"cannot read the history {self._path}: {describe_error(error)}"
                ) from error

        return self._writer.execute(read)

    def _list_sessions(self, connection: sqlite3.Connection) -> Record:
        sessions = read_sessions(connection, float("-inf"), unix_now(self._clock))
        corrections = read_corrections(connection)
        return {
            "sessions": sessions[::-1],
            "corrections": len(corrections),
            "sounds": sum(bool(each["sound"]) for each in corrections),
        }


def _response(status: int, content: Record) -> tuple[int, str]:
    return status, json.dumps(content)  # ASCII, since a path may hold bytes that are not valid UTF-8
