"""Songs that the media players of this machine report, for titles of system audio."""

from realtime.now_playing.players import Player, Song
from realtime.now_playing.watcher import SongWatcher, watch_songs

__all__ = ["Player", "Song", "SongWatcher", "watch_songs"]
