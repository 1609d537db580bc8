"""Media players, their songs, and the choice of the song that a source hears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from models.common.text import clean_label

MAX_ARTISTS = 8
"""Artists of a song that are shown."""

MIN_NAME_LETTERS = 3
"""Length below which a name is not searched in another name. Short names are parts of many words."""


@dataclass(frozen=True, slots=True)
class Song:
    """Song that a player reports, as clean text of at most 200 characters each.

    Attributes
    ----------
    title : str
        Never empty.
    artist : str
        Empty if the player names no artist. ``title`` may then hold both, as the titles of web pages do.
    """

    title: str
    artist: str = ""

    @property
    def line(self) -> str:
        """Song in the form of a station's title: ``artist - title``."""
        return clean_label(f"{self.artist} - {self.title}") if self.artist else self.title


@dataclass(frozen=True, slots=True)
class Player:
    """Media player.

    Attributes
    ----------
    names : tuple of str
        Names by which the sound server may know the player.
    song : Song or None
        None unless the player plays and names its song.
    changed : int
        Rises with each change of any player's song.
    """

    names: tuple[str, ...]
    song: Song | None
    changed: int = 0


def clean_song(title: str, artists: Iterable[str]) -> Song | None:
    """Create a song from untrusted text. None if there is no title."""
    names = [clean_label(artist) for artist in islice(artists, MAX_ARTISTS)]
    title = clean_label(title)
    return Song(title, clean_label(", ".join(name for name in names if name))) if title else None


def select_song(players: Iterable[Player], application: str = "") -> Song | None:
    """Select the song that changed last, of the players that play.

    Parameters
    ----------
    players : iterable of Player
    application : str
        Name of the application that the source captures, of which a part is enough. Empty if the source
        captures all applications.

    Returns
    -------
    Song or None
        None if no such player plays.
    """
    heard = [each for each in players if each.song and (not application or _is_player_of(each, application))]
    return max(heard, key=lambda player: player.changed).song if heard else None


def _is_player_of(player: Player, application: str) -> bool:
    """Return True if a name of the player is the application's name, a part of that name, or the reverse."""
    wanted = application.casefold()
    return any(
        name == wanted
        or (min(len(name), len(wanted)) >= MIN_NAME_LETTERS and (name in wanted or wanted in name))
        for name in map(str.casefold, player.names)
    )
