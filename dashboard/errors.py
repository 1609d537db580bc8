"""Errors of the dashboard; each message carries the numbers and the remedy."""

from __future__ import annotations

from models.errors import OverheardError


class DashboardError(OverheardError):
    """The dashboard cannot start with what it was given."""


class CatalogueError(OverheardError):
    """The bundled songs are damaged."""
