"""The library of the page: its index, which follows the table, and the files that the page may play."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from dashboard.library.index import IndexedTrack, SimilarityIndex
from dashboard.library.table import LibraryError, LibraryFault, Signature, load_index, read_signature

CHECK_SECONDS: Final = 30.0
"""Seconds between two looks at the table, which a run of ``overheard library`` may change."""

OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Flags for reading a track. A pipe that has taken the place of the file does not block."""


class OpenTrack(NamedTuple):
    """Open file of a track, and its state."""

    descriptor: int
    status: os.stat_result
    track: IndexedTrack


class Shelf:
    """Index of one table, which is loaded again after the table has changed. Any thread may use it.

    Parameters
    ----------
    path : str
        Folder of the table.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._checked_at = -CHECK_SECONDS
        self._signature: Signature = ()
        self._model = ""
        self._index: SimilarityIndex | None = None
        self._fault: tuple[str, LibraryFault] | None = None

    def index(self, model: str) -> SimilarityIndex:
        """Return the index of the tracks that a model has analyzed.

        Raises
        ------
        LibraryError
            If the table gives no index.
        """
        with self._lock:
            now = self._clock()
            if self._index is not None and model == self._model and now - self._checked_at < CHECK_SECONDS:
                return self._index
            signature = read_signature(self._path)
            is_same = (signature, model) == (self._signature, self._model)
            if is_same and self._fault is not None:
                message, fault = self._fault
                raise LibraryError(message, fault.key, **fault.parameters)
            if not is_same or self._index is None:
                self._index = self._fault = None  # two indexes at a time would take twice the memory
                self._signature, self._model = signature, model
                try:
                    self._index = load_index(self._path, model)
                except LibraryError as error:
                    if error.fault.key != "unreadable":  # perhaps for a moment only
                        self._fault = (str(error), error.fault)
                    raise
            self._checked_at = now
            return self._index

    def open_track(self, track_id: str) -> OpenTrack | None:
        """Open the file of a track of the index for reading.

        The request names no path. Only the file that was analyzed is opened: a path that now leads to another
        file, for instance by a symbolic link, has another size or time of change.

        Returns
        -------
        OpenTrack or None
            None if no index is loaded, the index has no such track, or its file is gone or has changed.
        """
        with self._lock:
            index = self._index
        row = index.find_id(track_id) if index is not None else None
        if index is None or row is None:
            return None
        track = index.track(row)
        if not os.path.isabs(track.uri):
            return None  # in a bucket
        try:
            descriptor = os.open(track.uri, OPEN_FLAGS)
        except (OSError, ValueError):
            return None
        status = os.fstat(descriptor)
        if not track.matches(status):
            os.close(descriptor)
            return None
        return OpenTrack(descriptor, status, track)


@lru_cache(maxsize=4)
def shared_shelf(path: str) -> Shelf:
    """Return the shelf of a table, which the server and the script of the page share."""
    return Shelf(path)
