"""What clients of the server ask of the history: pages to read, corrections, and to forget everything."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from models.manifest import ModelManifest
from realtime.clock import Clock
from realtime.history.audio_buffer import RecentAudioBuffer
from realtime.history.corrections import LabelCorrections
from realtime.history.errors import HistoryError, reason
from realtime.history.queries import (
    Record,
    UnknownSessionError,
    empty,
    open_history,
    read_corrections,
    read_session,
    read_sessions,
)
from realtime.history.recorder import HistoryRecorder
from realtime.history.writer import HistoryWriter


class HistoryService:
    """Answers on any thread; the work is done on the history's own.

    Parameters
    ----------
    path : Path
        Of the history.
    history : HistoryWriter
        Who writes it.
    clock : Clock
    manifest : ModelManifest
        Of the model whose genres a correction may name.
    kept : RecentAudioBuffer
        Where the running sessions' sound is.
    """

    def __init__(
        self,
        path: Path,
        history: HistoryWriter,
        clock: Clock,
        manifest: ModelManifest,
        kept: RecentAudioBuffer | None = None,
    ) -> None:
        self._path = path
        self._history = history
        self._clock = clock
        self._manifest = manifest
        self._kept = kept

    def page(self, rest: str) -> tuple[int, str]:
        """A page of the history; may take seconds.

        Parameters
        ----------
        rest : str
            Empty for all sessions, newest first, or the number of one.

        Returns
        -------
        tuple of int and str
            HTTP status and JSON: what was asked for, or ``error`` with a sentence.
        """
        if rest and not re.fullmatch(r"\d{1,18}", rest, re.ASCII):
            return _answer(404, {"error": f"no session {rest[:40]!r}; name the number of one"})
        try:
            if rest:
                return _answer(200, self._read(lambda connection: self._session(connection, int(rest))))
            return _answer(200, {"path": str(self._path)} | self._read(self._sessions))
        except UnknownSessionError as error:
            return _answer(404, {"error": str(error)})
        except HistoryError as error:
            return _answer(503, {"error": str(error)})

    def act(self, control: Mapping[str, Any]) -> str:
        """Correct a segment or forget everything; may take seconds.

        Parameters
        ----------
        control : mapping
            A control message: ``action`` "correct" with ``session``, ``segment`` and ``genre``, None to take
            a correction back; or ``action`` "forget".

        Returns
        -------
        str
            A sentence that says what was done.

        Raises
        ------
        HistoryError
            It cannot be done.
        """
        action = control.get("action")
        if action == "forget":
            return self._history.execute(self._forget)
        if action != "correct":
            raise HistoryError(f"the history knows no action {action!r}; there are correct and forget")
        session, segment, genre = (control.get(name) for name in ("session", "segment", "genre"))
        if type(session) is not int or type(segment) is not int or not isinstance(genre, str | None):
            raise HistoryError("a correction names session and segment by number, and a genre or null")

        def correct(recorder: HistoryRecorder) -> str:
            corrections = LabelCorrections(recorder.store, self._manifest, self._kept)
            return corrections.correct(session, segment, genre, self._unix())

        return self._history.execute(correct)

    def _forget(self, recorder: HistoryRecorder) -> str:
        try:
            return LabelCorrections(recorder.store, self._manifest, self._kept).delete_all(self._unix())
        finally:  # also when kept sound could not be deleted: the rows are gone
            recorder.restart()

    def _read(self, work: Callable[[sqlite3.Connection], Record]) -> Record:
        """Read on the history's thread, by its own connection where it has one."""

        def read(recorder: HistoryRecorder) -> Record:
            try:
                if recorder.store.connection is not None:
                    return work(recorder.store.connection)
                if not self._path.exists() or not self._path.stat().st_size:
                    with closing(empty()) as connection:
                        return work(connection)
                with closing(open_history(self._path)) as connection:
                    return work(connection)
            except (sqlite3.Error, OSError) as error:
                raise HistoryError(f"cannot read the history {self._path}: {reason(error)}") from error

        return self._history.execute(read)

    def _sessions(self, connection: sqlite3.Connection) -> Record:
        sessions = read_sessions(connection, float("-inf"), self._unix())
        corrections = read_corrections(connection)
        return {
            "sessions": sessions[::-1],
            "corrections": len(corrections),
            "sounds": sum(bool(each["sound"]) for each in corrections),
        }

    def _session(self, connection: sqlite3.Connection, number: int) -> Record:
        return read_session(connection, number, self._unix())

    def _unix(self) -> float:
        return self._clock.unix(self._clock.monotonic())


def _answer(status: int, content: Record) -> tuple[int, str]:
    return status, json.dumps(content)  # in ASCII: a path may hold bytes that are no text
