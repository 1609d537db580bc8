"""Media players on Windows: the media sessions of the system, which its volume control shows too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from realtime.now_playing.players import Player, clean_song
from realtime.now_playing.polling import PlayingSong, poll_players

POLL_SECONDS = 1.0
"""Interval at which the sessions are read."""

PLAYING = 4
"""``GlobalSystemMediaTransportControlsSessionPlaybackStatus.PLAYING``."""


def watch(report: Callable[[tuple[Player, ...]], None], closed: threading.Event) -> None:
    """Report the players at an interval, until ``closed`` is set.

    Raises
    ------
    OSError
        If the system has no media sessions, which came with Windows 10 1809.
    """
    from winrt.runtime import ApartmentType, init_apartment
    from winrt.windows.media.control import GlobalSystemMediaTransportControlsSessionManager as Manager

    init_apartment(ApartmentType.MULTI_THREADED)  # of this thread
    manager = Manager.request_async().get()
    poll_players(lambda: read_sessions(manager), POLL_SECONDS, report, closed)


def read_sessions(manager: Any) -> Iterator[PlayingSong]:
    """Yield the sessions of a ``GlobalSystemMediaTransportControlsSessionManager``, the current one first."""
    current = manager.get_current_session()
    first = [] if current is None else [current.source_app_user_model_id]
    sessions = {session.source_app_user_model_id: session for session in manager.get_sessions()}
    for name in dict.fromkeys([*first, *sessions]):
        session = sessions.get(name)
        if session is None or session.get_playback_info().playback_status != PLAYING:
            continue
        properties = session.try_get_media_properties_async().get()
        if properties is not None:
            artist = properties.artist or properties.album_artist
            yield (name,), clean_song(properties.title, [artist])
