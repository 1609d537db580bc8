"""Base class of all errors that users see, and the errors of models and audio."""

from __future__ import annotations


class OverheardError(Exception):
    """Error that a user can remedy. Its message is one sentence with the numbers and the remedy.

    The command line prints the sentence and exits with code 2. Invalid arguments between modules are bugs of
    this program and raise ``ValueError`` instead.
    """


class ModelError(OverheardError):
    """Model, manifest or runtime that is missing, damaged or does not fit."""


class AudioError(OverheardError):
    """Audio file or stream that cannot be opened or decoded."""
