"""Short list of songs beside the live component."""

from dashboard.components.next_songs.component import are_next_songs_seen, next_songs_data, show_next_songs

__all__ = ["are_next_songs_seen", "next_songs_data", "show_next_songs"]
