"""Thread that keeps the song of the media player which a source hears."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

from models.common.concurrency import backoff_seconds, start_daemon_thread
from models.common.text import first_line
from realtime.now_playing.players import Player, Song, select_song

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
"""Pause after the first failure. The pauses double up to ``MAX_PAUSE_SECONDS``."""

MAX_PAUSE_SECONDS = 60.0
"""Longest pause between two attempts, and the duration after which an attempt counts as successful."""

Report = Callable[[tuple[Player, ...]], None]
Watch = Callable[[Report, threading.Event], None]
"""Function that reports the players after each change, until the event is set or an error occurs."""


class SongWatcher:
    """Thread that watches media players. Its errors are logged once and end nothing but the titles.

    Parameters
    ----------
    watch : callable
        Reports the players of the operating system, and blocks its thread.
    application : str
        Name of the application that the source captures, empty for all applications.

    Attributes
    ----------
    song : Song or None
        Current song. None if no player plays, or if the players cannot be watched.
    """

    def __init__(self, watch: Watch, application: str = "") -> None:
        self.song: Song | None = None
        self._watch, self._application = watch, application
        self._closed = threading.Event()
        start_daemon_thread(self._run, "media players")

    def close(self) -> None:
        """End the thread soon, without waiting."""
        self._closed.set()

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            started = time.monotonic()
            try:
                self._watch(self._report, self._closed)
            except Exception as error:  # players send what they like, and no title is worth an error
                level = logging.DEBUG if failures or self._closed.is_set() else logging.INFO
                logger.log(level, "no titles of media players: %s", first_line(error))
            self.song = None
            failures = 1 if time.monotonic() - started >= MAX_PAUSE_SECONDS else failures + 1
            self._closed.wait(backoff_seconds(failures, FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS))

    def _report(self, players: tuple[Player, ...]) -> None:
        self.song = select_song(players, self._application)


def watch_songs(application: str = "") -> SongWatcher:
    """Watch the media players of this operating system.

    Parameters
    ----------
    application : str
        Name of the application that the source captures, empty for all applications.
    """
    # Each of the modules needs packages or programs of its operating system.
    if sys.platform == "win32":
        from realtime.now_playing.windows import watch
    elif sys.platform == "darwin":
        from realtime.now_playing.macos import watch
    else:
        from realtime.now_playing.mpris import watch
    return SongWatcher(watch, application)
