"""Exceptions of the training commands."""

from __future__ import annotations

from models.errors import OverheardError


class DataError(OverheardError):
    """Raised when training data are missing, incomplete or malformed."""


class WeightsError(OverheardError):
    """Raised when pretrained weights are missing, damaged or of another network."""


class TrainingError(OverheardError):
    """Raised when a training cannot continue or yields no usable weights."""
