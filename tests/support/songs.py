"""Invented songs and playlists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dashboard.recommendations.domain.tracks import Track
from dashboard.recommendations.engine.playlist import Playlist, PlaylistItem
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist

TODAY = date(2026, 3, 1)


def songs(genre: str, count: int, artists: int = 1000, **fields: Any) -> list[Track]:
    """Return songs of a genre by rank. ``artists`` is the number of different artists."""
    made: dict[str, Any] = {"language": "en", "language_source": "provider", "published": TODAY}
    made |= {"precision": "day"} | fields
    names = [f"{genre} {made['language']} artist {number % artists}" for number in range(count)]
    return [
        Track(
            "p",
            f"{made['language']} song {number}",
            (name,),
            "https://x.example/",
            genre,
            rank=number,
            **made,
        )
        for number, name in enumerate(names)
    ]


def add_estimates(
    session: RollingPlaylist, mix: Mapping[str, float], start: float = 0, seconds: float = 60
) -> float:
    """Add an estimate of these probabilities for every second after ``start``, and return the last second."""
    for number in range(round(seconds)):
        session.add_estimate(start + number + 1, mix, "LISTENING")
    return start + seconds


def read_reasons(row: PlaylistItem) -> list[str]:
    """Return the reasons for a song as text."""
    return [str(reason) for reason in row.reasons]


def start_playlist(
    mix: Mapping[str, float], pools: Mapping[str, Sequence[Track]], **arguments: Any
) -> tuple[RollingPlaylist, float]:
    """Return a playlist after a minute of estimates, and the current second."""
    session = RollingPlaylist(**arguments)
    now = add_estimates(session, mix)
    session.update(pools, now, TODAY)
    return session, now


def note_texts(playlist: Playlist) -> list[str]:
    """Return the notes of a playlist in English."""
    return [str(note) for note in playlist.notes]


def titles(playlist: Playlist) -> list[str]:
    """Return the titles of the songs of a playlist."""
    return [row.track.title for row in playlist.items]
