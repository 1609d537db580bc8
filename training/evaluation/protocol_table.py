"""How good a network is under the three protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PROTOCOLS = {
    "fault_filtered": "fault-filtered split, artists disjoint",
    "artist_folds": "5 folds, artists disjoint",
    "random_folds": "10 random folds, leaking artists",
}
"""The three protocols, by the name of the function in ``splits`` that makes them."""


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """One variant under one protocol: ``accuracies`` are of the single runs."""

    protocol: str
    variant: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the runs."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation of the accuracy over the runs (population)."""
        return float(np.std(self.accuracies))


def protocol_table(protocols: Sequence[dict[str, Any]]) -> str:
    """Render ``protocol_records`` as a Markdown table, one row a network, one column a protocol."""
    cell = {(e["network"], e["protocol"]): f"{e['accuracy']:.3f} ± {e['deviation']:.3f}" for e in protocols}
    networks = dict.fromkeys(entry["network"] for entry in protocols)
    rows = [f"| {n} | " + " | ".join(cell.get((n, p), "") for p in PROTOCOLS) + " |" for n in networks]
    head = ["| network | " + " | ".join(PROTOCOLS.values()) + " |", "|---" * (len(PROTOCOLS) + 1) + "|"]
    return "\n".join([*head, *rows])


def protocol_records(scores: Sequence[ProtocolScore]) -> list[dict[str, Any]]:
    """Accuracies with their runs, for machines."""
    return [
        {
            "protocol": entry.protocol,
            "leaks_artists": entry.protocol == "random_folds",
            "network": entry.variant,
            "accuracy": round(entry.mean, 4),
            "deviation": round(entry.deviation, 4),
            "runs": [round(value, 4) for value in entry.accuracies],
        }
        for entry in scores
    ]
