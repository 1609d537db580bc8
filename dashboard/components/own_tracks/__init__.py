"""Tracks of the user's own library, which the page plays."""

from dashboard.components.own_tracks.component import show_tracks

__all__ = ["show_tracks"]
