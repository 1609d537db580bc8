"""List of recommended songs with the user's feedback."""

from dashboard.components.songs.component import are_songs_seen, selected_action, show_songs

__all__ = ["are_songs_seen", "selected_action", "show_songs"]
