"""Components for an analyzed file: genres over time as colored bands, and probabilities as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.components.assets import register_component


def show_genre_bands(data: dict[str, Any], key: str) -> None:
    """Show the genres over time. ``data`` comes from ``viewmodels.file.bands_data``."""
    register_component("genre_bands")(key=f"bands-{key}", data=data)


def show_probabilities(rows: Sequence[dict[str, Any]], key: str) -> None:
    """Show one bar for each genre. ``rows`` come from ``viewmodels.file.probability_rows``."""
    register_component("genre_bands", "probabilities")(key=f"probabilities-{key}", data=list(rows))
