"""Components for an analyzed file: genres over time as colored bands, and probabilities as bars."""

from dashboard.components.genre_bands.component import show_genre_bands, show_probabilities

__all__ = ["show_genre_bands", "show_probabilities"]
