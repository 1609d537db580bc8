"""Components of the history page: timeline of a session, and shares of its genres."""

from dashboard.components.timeline.component import selected_segment, show_shares, show_timeline

__all__ = ["selected_segment", "show_shares", "show_timeline"]
