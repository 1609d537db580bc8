"""Colors of the genres."""

from __future__ import annotations

from collections.abc import Mapping

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
A test repeats the measurement, so a colour can be changed without an expert.
"""
