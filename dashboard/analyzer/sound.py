"""Read the analyzer's document about the sound that is playing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dashboard.analyzer.http import AnalyzerError, Fault

MAX_VALUES = 4096
"""Largest size of an embedding."""


class PlayingSound(NamedTuple):
    """Sound of the last half minute.

    Attributes
    ----------
    source, model : str
        Name of the source, and identity of the model.
    embedding : (n,) float32 or None
        Of length 1. None if no music was heard.
    """

    source: str
    model: str
    embedding: npt.NDArray[np.float32] | None


def parse_sound(document: Mapping[str, Any]) -> PlayingSound:
    """Parse the document of ``/sound``.

    Raises
    ------
    AnalyzerError
        If a field is missing or has the wrong type.
    """
    source, model, values = (document.get(name) for name in ("source", "model", "embedding"))
    if not isinstance(source, str) or not isinstance(model, str):
        raise AnalyzerError(Fault.BROKEN, "no source or model")
    if values is None:
        return PlayingSound(source, model, None)
    if (
        not isinstance(values, list)
        or not 0 < len(values) <= MAX_VALUES
        or not all(isinstance(value, int | float) for value in values)
    ):
        raise AnalyzerError(Fault.BROKEN, "no embedding")
    return PlayingSound(source, model, np.array(values, np.float32))
