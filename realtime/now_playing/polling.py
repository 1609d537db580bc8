"""Poll the players of systems whose changes are not subscribed to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from realtime.now_playing.players import Player, Song

PlayingSong = tuple[tuple[str, ...], Song | None]
"""Names of a player, and its song if the player plays."""


def poll_players(
    read: Callable[[], Iterable[PlayingSong]],
    seconds: float,
    report: Callable[[tuple[Player, ...]], None],
    closed: threading.Event,
) -> None:
    """Report the players at an interval, until ``closed`` is set.

    Parameters
    ----------
    read : callable
        Reads the names and songs of all players. Of songs that change at the same time, the first one counts
        as the last change.
    seconds : float
        Interval in seconds.
    report, closed
        As in ``realtime.now_playing.watcher.Watch``.
    """
    before: dict[tuple[str, ...], Player] = {}
    changes = 0
    while not closed.is_set():
        now: dict[tuple[str, ...], Player] = {}
        for names, song in reversed(list(read())):
            player = before.get(names)
            if player is None or player.song != song:
                changes += 1
                player = Player(names, song, changes)
            now[names] = player
        before = now
        report(tuple(now.values()))
        closed.wait(seconds)
