"""The project's base error and the errors of the model side."""

from __future__ import annotations


class OverheardError(Exception):
    """A fault that a person can mend: one sentence with the numbers and the remedy.

    The command line prints it and exits with code 2. Bad arguments between modules are
    ``ValueError`` instead: those are ours to mend.
    """


class ModelError(OverheardError):
    """A model, its manifest or its runtime is missing, damaged or does not fit."""


class AudioError(OverheardError):
    """An audio file or stream that cannot be opened or decoded."""
