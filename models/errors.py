"""Base class of all errors for users, and the errors of models and audio."""

from __future__ import annotations


class OverheardError(Exception):
    """Fault that a person can remedy: one sentence with the numbers and the remedy.

    The command line prints the sentence and exits with code 2. Bad arguments between modules are bugs of
    this program and raise ``ValueError`` instead.
    """


class ModelError(OverheardError):
    """Model, manifest or runtime that is missing, damaged or does not fit."""


class AudioError(OverheardError):
    """Audio file or stream that cannot be opened or decoded."""
