"""The list of recommended songs and the reader's feedback on them."""

from dashboard.components.songs.component import selected_action, show_songs

__all__ = ["selected_action", "show_songs"]
