"""Accuracies of networks under the three protocols, as records and as a table."""

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
"""Headings of the protocols by the name of their function in ``training.data.splits``."""


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """Accuracies of one network under one protocol, one per run."""

    protocol: str
    network: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the runs."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Population standard deviation of the accuracy over the runs."""
        return float(np.std(self.accuracies))


def protocol_table(records: Sequence[dict[str, Any]]) -> str:
    """Format ``protocol_records`` as a Markdown table: one row per network, one column per protocol."""
    cell = {(e["network"], e["protocol"]): f"{e['accuracy']:.3f} ± {e['deviation']:.3f}" for e in records}
    networks = dict.fromkeys(record["network"] for record in records)
    rows = [f"| {n} | " + " | ".join(cell.get((n, p), "") for p in PROTOCOLS) + " |" for n in networks]
    head = ["| network | " + " | ".join(PROTOCOLS.values()) + " |", "|---" * (len(PROTOCOLS) + 1) + "|"]
    return "\n".join([*head, *rows])


def protocol_records(scores: Sequence[ProtocolScore]) -> list[dict[str, Any]]:
    """Convert scores to records for JSON."""
    return [
        {
            "protocol": score.protocol,
            "leaks_artists": score.protocol == "random_folds",
            "network": score.network,
            "accuracy": round(score.mean, 4),
            "deviation": round(score.deviation, 4),
            "runs": [round(value, 4) for value in score.accuracies],
        }
        for score in scores
    ]
