"""How good a network is under the three protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.classifier import softmax
from models.measures import score
from training import splits
from training.features import Features
from training.gtzan import LABELS, Gtzan
from training.network import Variant
from training.runs import Runs, one_by_one
from training.train import Labels, Recipe, logits_of, train_head

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


def run_protocol(
    protocol: str,
    variant: Variant,
    recipe: Recipe,
    gtzan: Gtzan,
    features: Features,
    seeds: Sequence[int],
    runs: Runs = one_by_one,
) -> ProtocolScore:
    """Train and test one variant under one protocol.

    The fault-filtered split runs once a seed; folds run once each, with the first seed. Every run
    starts from fresh weights and is stopped on its own validation part.

    Parameters
    ----------
    protocol : str
        A key of ``PROTOCOLS``.
    features : (n, variant.steps, 1280) float32
        Of ``gtzan.tracks``, in order.
    runs : Runs
        Where the single runs are made.
    """
    if protocol == "fault_filtered":
        made = [(splits.fault_filtered(gtzan.tracks), seed) for seed in seeds]
    else:
        made = [(split, seeds[0]) for split in getattr(splits, protocol)(gtzan.tracks)]
    calls = [(split, seed, variant, recipe, gtzan.labels, features) for split, seed in made]
    return ProtocolScore(protocol, variant.name, tuple(runs(_accuracy, calls)))


def _accuracy(
    split: splits.Split, seed: int, variant: Variant, recipe: Recipe, labels: Labels, features: Features
) -> float:
    """Train and test once."""
    train, valid = ((features[part], labels[part]) for part in (split.train, split.valid))
    trained = train_head(variant, train, valid, genres=len(LABELS), seed=seed, recipe=recipe)
    probabilities = softmax(logits_of(trained.head, features[split.test]))
    return score(probabilities, labels[split.test]).accuracy


def protocol_table(protocols: Sequence[dict[str, Any]]) -> str:
    """Render ``protocols_as_json`` as a Markdown table, one row a network, one column a protocol."""
    cell = {(e["network"], e["protocol"]): f"{e['accuracy']:.3f} ± {e['deviation']:.3f}" for e in protocols}
    networks = dict.fromkeys(entry["network"] for entry in protocols)
    rows = [f"| {n} | " + " | ".join(cell.get((n, p), "") for p in PROTOCOLS) + " |" for n in networks]
    head = ["| network | " + " | ".join(PROTOCOLS.values()) + " |", "|---" * (len(PROTOCOLS) + 1) + "|"]
    return "\n".join([*head, *rows])


def protocols_as_json(scores: Sequence[ProtocolScore]) -> list[dict[str, Any]]:
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
