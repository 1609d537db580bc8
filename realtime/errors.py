"""Errors of the live side; each message carries the numbers and the remedy."""

from __future__ import annotations

from models.errors import OverheardError


class SettingsError(OverheardError):
    """A setting is unknown, mistyped or out of range."""


class SourceError(OverheardError):
    """A source cannot be found, opened or read on."""


class TooShortError(SourceError):
    """A source ended before one window was full."""


class ServerError(OverheardError):
    """The server cannot start."""
