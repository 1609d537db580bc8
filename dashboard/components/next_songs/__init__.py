"""Short list of songs beside the live component."""

from dashboard.components.next_songs.component import next_songs_data, show_next_songs

__all__ = ["next_songs_data", "show_next_songs"]
