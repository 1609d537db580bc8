"""Errors of the analyzer. Each message has the numbers and the remedy."""

from __future__ import annotations

from models.errors import OverheardError


class SettingsError(OverheardError):
    """Setting that is unknown, has the wrong type or is out of range."""


class SourceError(OverheardError):
    """Source that cannot be found, opened or read any further."""


class SourceCrashError(SourceError):
    """Source whose content crashes the decoder, which is a process of its own."""


class AudioTooShortError(SourceError):
    """Source that ended before one window was full."""


class ServerError(OverheardError):
    """Server that cannot start."""
