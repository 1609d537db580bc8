"""Invented songs and playlists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from dashboard.recommendations.domain.tracks import Track
from dashboard.recommendations.engine.playlist import PlaylistItem
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist

TODAY = date(2026, 3, 1)


def songs(genre: str, count: int, artists: int = 1000, **fields: Any) -> list[Track]:
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
    for number in range(round(seconds)):
        session.add_estimate(start + number + 1, mix, "LISTENING")
    return start + seconds


def read_reasons(row: PlaylistItem) -> list[str]:
    return [str(reason) for reason in row.reasons]


def start_playlist(
    mix: Mapping[str, float], pools: Mapping[str, Sequence[Track]], **arguments: Any
) -> tuple[RollingPlaylist, float]:
    session = RollingPlaylist(**arguments)
    now = add_estimates(session, mix)
    session.update(pools, now, TODAY)
    return session, now
