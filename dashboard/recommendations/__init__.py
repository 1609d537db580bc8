"""Songs to play next, chosen from the bundled catalogue."""

from dashboard.recommendations.catalogue import SONGS_SHOWN, Song, songs_for

__all__ = ["SONGS_SHOWN", "Song", "songs_for"]
