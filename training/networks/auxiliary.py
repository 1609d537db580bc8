"""Weights of the outputs beside the genres: tags, and the similarity embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.manifest import Tag

Weights = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Kernel (features, values) and bias (values,) of a dense layer."""


@dataclass(frozen=True, slots=True)
class AuxiliaryOutputs:
    """Dense layers on the mean of the pooled features over time.

    Attributes
    ----------
    tags : tuple of Tag
        Tags that ship.
    tag_weights : Weights
        Layer of their logits.
    embedding_weights : Weights
        Layer of the embedding.
    measures : list of dict
        Measures of all tags on validation windows, also of those that do not ship.
    """

    tags: tuple[Tag, ...]
    tag_weights: Weights
    embedding_weights: Weights
    measures: list[dict[str, Any]]

    @property
    def weights(self) -> dict[str, Weights]:
        """Layers by name, in the order of the network's outputs."""
        layers = {"tags": self.tag_weights} if self.tags else {}
        return layers | {"similarity": self.embedding_weights}
