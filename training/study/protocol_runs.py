"""Train and test a head on frozen features under one protocol."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifier import softmax
from models.metrics import Labels, compute_scores
from training.data import splits
from training.data.gtzan import LABELS, Gtzan
from training.evaluation.protocol_table import ProtocolScore
from training.networks.study import Variant
from training.parallel import Runs, one_by_one
from training.study.features import Features
from training.study.train_head import Recipe, logits_of, train_head


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
    return compute_scores(probabilities, labels[split.test]).accuracy
