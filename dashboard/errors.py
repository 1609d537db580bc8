"""Errors of the dashboard. Each message names the problem, its numbers and the remedy."""

from __future__ import annotations

from models.errors import OverheardError


class DashboardError(OverheardError):
    """The dashboard cannot start with its arguments or environment."""


class CatalogError(OverheardError):
    """The bundled song catalog is damaged."""
