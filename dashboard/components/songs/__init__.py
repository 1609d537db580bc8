"""List of recommended songs with the user's feedback."""

from dashboard.components.songs.component import selected_action, show_songs

__all__ = ["selected_action", "show_songs"]
