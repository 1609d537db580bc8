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

Found by a random search for the largest smallest distance (OKLab, at least 0.11) between any two as
normal, red-blind, green-blind and blue-blind eyes see them, with contrast to both themes' backgrounds.
A test repeats the measurement, so that a color can be changed without an expert.
"""

OTHER_COLOR = "#8a8d94"
"""Gray, for genres without a color of their own."""


def genre_color(genre: str) -> str:
    """Return the color of a genre, gray for an unknown one."""
    return GENRE_COLORS.get(genre, OTHER_COLOR)


def in_page_order(genres: Iterable[str]) -> list[str]:
    """Sort genres as the page lists them. Unknown genres come last."""
    order = list(GENRE_COLORS)
    return sorted(genres, key=lambda genre: (order.index(genre) if genre in order else len(order), genre))
