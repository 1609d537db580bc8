"""A few songs beside the live part."""

from dashboard.components.next_songs.component import next_songs_data, show_next_songs

__all__ = ["next_songs_data", "show_next_songs"]
