"""Errors of the training commands."""

from __future__ import annotations

from models.errors import OverheardError


class DataError(OverheardError):
    """The folder of training data is missing, incomplete or not as expected."""


class WeightsError(OverheardError):
    """The ImageNet weights are missing, damaged or not the expected ones."""


class TrainingError(OverheardError):
    """A training cannot go on, or came to nothing."""
