"""Genres of an analyzed file: over time as colored bands, and the most probable ones as bars."""

from dashboard.components.genre_bands.component import show_genre_bands, show_probabilities

__all__ = ["show_genre_bands", "show_probabilities"]
