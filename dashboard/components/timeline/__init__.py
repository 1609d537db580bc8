"""The timeline of a session and the shares of its genres."""

from dashboard.components.timeline.component import selected_segment, show_shares, show_timeline

__all__ = ["selected_segment", "show_shares", "show_timeline"]
