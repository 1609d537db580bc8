"""Genres of an analyzed file: over time as colored bands, and the most probable ones as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.components.assets import register_component


def show_genre_bands(data: dict[str, Any], key: str) -> None:
    """Show the genres over time, as ``viewmodels.file.bands_data`` returns them."""
    register_component("genre_bands")(key=f"bands-{key}", data=data)


def show_probabilities(rows: Sequence[dict[str, Any]], key: str) -> None:
    """Show one bar for each genre, as ``viewmodels.file.probability_rows`` returns them."""
    register_component("genre_bands", "probabilities")(key=f"probabilities-{key}", data=list(rows))
