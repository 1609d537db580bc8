"""Colors of the genres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

GENRE_COLORS: Mapping[str, str] = {
    "blues": "#1e4dff",
    "classical": "#b6cba3",
    "country": "#ca7209",
    "disco": "#a581e9",
    "hiphop": "#a40cb3",
    "jazz": "#ffa200",
    "metal": "#566164",
    "pop": "#2bd2ff",
    "reggae": "#19a68c",
    "rock": "#be1209",
}
"""The ten genres in their order on the page.

A random search maximized the smallest distance between two colors (OKLab, at least 0.11) for normal,
red-blind, green-blind and blue-blind vision, with contrast to the backgrounds of both themes. A test repeats
the measurement, so that a color can be changed without an expert.
"""

OTHER_COLOR = "#8a8d94"
"""Color of genres that are not in ``GENRE_COLORS``, gray."""


def genre_color(genre: str) -> str:
    """Return the color of a genre, or gray for an unknown genre."""
    return GENRE_COLORS.get(genre, OTHER_COLOR)


def sort_genres(genres: Iterable[str]) -> list[str]:
    """Sort genres in their order on the page. Unknown genres come last, by name."""
    order = list(GENRE_COLORS)
    return sorted(genres, key=lambda genre: (order.index(genre) if genre in order else len(order), genre))
